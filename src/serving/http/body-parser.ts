// Bodies of one media type: read whole within the bounds of one body and of all, then made what routes take.

import { promisify } from 'node:util';
import { gunzip as gunzipLater, inflate as inflateLater } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { HeadraceError } from '../../core/index.ts';
import type { BodyRoom, BytesInFlight } from '../bytes-in-flight.ts';
import { readWholeBody } from './read-whole-body.ts';

export interface BodyBounds {
  /** Of one body. */
  readonly bodyLimitBytes: number;
  /** Of all bodies. */
  readonly bytes: BytesInFlight;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where no body was read. */
    bodyRoom: BodyRoom | undefined;
  }
}

const UNPACKERS = { gzip: promisify(gunzipLater), deflate: promisify(inflateLater) } as const;

export type Packing = keyof typeof UNPACKERS;

/** Once, before any parser. */
export function holdBodies(app: FastifyInstance): void {
  app.decorateRequest('bodyRoom', undefined);
  app.addHook('onResponse', (request, _reply, answered) => {
    request.bodyRoom?.release();
    answered();
  });
  app.removeAllContentTypeParsers();
}

/** `parse` throws what is wrong with a body, or rejects with it. `packings`: how a body may come packed. */
export function addBodyParser(
  app: FastifyInstance,
  mediaType: string,
  { bodyLimitBytes, bytes }: BodyBounds,
  parse: (body: Buffer) => unknown,
  packings: readonly Packing[] = [],
): void {
  app.addContentTypeParser(mediaType, (request, _payload, done) => {
    const encoding = request.headers['content-encoding'];
    const packing = packings.find((one) => one === encoding);
    if (encoding !== undefined && encoding !== 'identity' && packing === undefined) {
      const sentence = `the body’s Content-Encoding is "${encoding.slice(0, 50)}"; send it without.`;
      done(new HeadraceError('HR_UNSUPPORTED_MEDIA', sentence));
      return;
    }
    const room = (request.bodyRoom = bytes.open(request.raw.socket));
    readWholeBody(request.raw, { limitBytes: bodyLimitBytes, room }, (failure, body) => {
      if (failure !== undefined) {
        // Nothing of it is kept, and its answer may take as long as what is left of it.
        room.release();
        return done(failure);
      }
      let parsed: unknown;
      try {
        parsed = packing === undefined ? parse(body) : unpack(body, packing, bodyLimitBytes, room).then(parse);
      } catch (thrown) {
        return done(thrown as Error);
      }
      if (parsed instanceof Promise) void finish(parsed, done);
      else done(null, parsed);
    });
  });
}

/** What comes out counts as a body that came so. Rejects with HR_TOO_LARGE, HR_OVERLOADED, HR_INVALID. */
async function unpack(body: Buffer, packing: Packing, limitBytes: number, room: BodyRoom): Promise<Buffer> {
  let whole: Buffer;
  try {
    whole = await UNPACKERS[packing](body, { maxOutputLength: limitBytes });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new HeadraceError('HR_TOO_LARGE', `the body is over the server’s limit of ${limitBytes} bytes, unpacked.`);
    throw new HeadraceError('HR_MALFORMED_JSON', `the body’s Content-Encoding is ${packing}, and it is not.`);
  }
  room.take(whole.length);
  return whole;
}

async function finish(parsed: Promise<unknown>, done: (failure: Error | null, body?: unknown) => void): Promise<void> {
  let body: unknown;
  try {
    body = await parsed;
  } catch (thrown) {
    done(thrown as Error);
    return;
  }
  done(null, body);
}
