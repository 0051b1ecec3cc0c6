// Documents that stay the same for long: rendered once for what they are made from, sent with a strong ETag, and not at
// all to who has them.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { sha256Hex } from '../../core/index.ts';

export interface Etagged {
  readonly body: Buffer;
  readonly type: string;
  /** Quotes included. */
  readonly etag: string;
}

/** With a strong ETag: equal bodies have equal ones, on every server. */
export function etagged(text: string, type: string): Etagged {
  const body = Buffer.from(text);
  return { body, type, etag: `"${sha256Hex(body)}"` };
}

/** Renders once for each object that it is given, for as long as that lives, and once for none. */
export function renderedOnce<From extends object | undefined>(
  render: (from: From) => Etagged,
): (from: From) => Etagged {
  const known = new WeakMap<object, Etagged>();
  const none = {};
  return (from) => {
    const key = from ?? none;
    let document = known.get(key);
    if (document === undefined) known.set(key, (document = render(from)));
    return document;
  };
}

/** The same where what is sent has several forms. */
export function renderedOnceBy<Form extends string, From extends object>(
  render: (from: From, form: Form) => Etagged,
): (from: From, form: Form) => Etagged {
  const forms = new Map<Form, (from: From) => Etagged>();
  return (from, form) => {
    let rendered = forms.get(form);
    if (rendered === undefined) forms.set(form, (rendered = renderedOnce((one: From) => render(one, form))));
    return rendered(from);
  };
}

/** 304 where the client has it already. */
export function sendEtagged(request: FastifyRequest, reply: FastifyReply, document: Etagged): FastifyReply {
  // Kept by clients, and asked for each time: it changes with the definitions.
  reply.header('etag', document.etag).header('cache-control', 'no-cache');
  if (isHeld(request.headers['if-none-match'], document.etag)) return reply.code(304).send();
  return reply.header('content-type', document.type).send(document.body);
}

/** RFC 9110: `*`, or a list of ETags that are compared weakly. */
export function isHeld(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()));
}
