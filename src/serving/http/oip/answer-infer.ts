// One inference request from its body to its answer's bytes, for the route and for the short way that most requests take.

import { promisify } from 'node:util';
import { deflate as deflateLater, gzip as gzipLater } from 'node:zlib';
import { invalid, type Scope } from '../../../core/index.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import { quoted } from '../request-context.ts';
import { OIP_JSON } from './oip-form.ts';
import { type InferBody, readInferBody } from './read-infer-body.ts';
import { writeInferAnswer, type WrittenAnswer } from './write-infer-answer.ts';

export interface InferHeaders {
  /** `Inference-Header-Content-Length`: of the JSON at the body's begin. */
  readonly jsonLength: string | undefined;
  readonly acceptEncoding: string | undefined;
}

export interface AskedModel {
  readonly model: string;
  readonly version: string | undefined;
}

export interface SentAnswer {
  readonly headers: Readonly<Record<string, string>>;
  /** Parts that follow each other. */
  readonly body: string | readonly Buffer[];
}

export const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** `scope` is asked once the body is what it should be. Throws what reading it and the plane's `infer` throw. */
export async function answerInfer(
  plane: InferencePlane,
  { model, version }: AskedModel,
  body: Buffer,
  { jsonLength, acceptEncoding }: InferHeaders,
  scope: () => Scope,
): Promise<SentAnswer> {
  let asked: InferBody;
  let claim: Scope;
  try {
    asked = readInferBody(body, lengthOf(jsonLength), () => plane.metadata(model, version).inputs);
    claim = within(scope(), asked);
  } catch (thrown) {
    plane.refused(model, thrown);
    throw thrown;
  }
  const answer = await plane.infer(model, version, asked, claim);
  const sent = toSent(writeInferAnswer(model, answer, asked.id, asked.isBinary));
  const encoding = acceptEncoding === undefined ? undefined : encodingOf(acceptEncoding);
  if (encoding === undefined || lengthOfBody(sent.body) < LEAST_PACKED) return sent;
  const whole = typeof sent.body === 'string' ? sent.body : Buffer.concat(sent.body);
  const packed = await PACKERS[encoding](whole, { level: 1 });
  return { headers: { ...sent.headers, 'content-encoding': encoding, vary: 'accept-encoding' }, body: [packed] };
}

export function lengthOfBody(body: SentAnswer['body']): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.reduce((sum, part) => sum + part.length, 0);
}

function lengthOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,15}$/.test(header)) return Number(header);
  const message = `expected a number of bytes, got ${quoted(header)}`;
  throw invalid([{ path: 'Inference-Header-Content-Length', message }]);
}

function within(scope: Scope, { timeoutMicros, isPatient }: InferBody): Scope {
  if (timeoutMicros === undefined && !isPatient) return scope;
  const asked = timeoutMicros === undefined ? Infinity : performance.now() + timeoutMicros / 1000;
  return scope.child({ deadlineMs: Math.min(scope.deadlineMs, asked), ...(isPatient ? { priority: 'batch' } : {}) });
}

function toSent({ json, binary }: WrittenAnswer): SentAnswer {
  if (binary === undefined) return { headers: { 'content-type': OIP_JSON }, body: json };
  const start = Buffer.from(json);
  const headers = { 'content-type': 'application/octet-stream', [JSON_LENGTH_HEADER]: String(start.length) };
  return { headers, body: [start, ...binary] };
}

/** A small answer fits one packet as it is. */
const LEAST_PACKED = 1024;
const PACKERS = { gzip: promisify(gzipLater), deflate: promisify(deflateLater) } as const;

/** The first that is asked for, and not with the weight 0. */
function encodingOf(accept: string): keyof typeof PACKERS | undefined {
  for (const part of accept.split(',')) {
    const [name = '', weight = ''] = part.split(';').map((word) => word.trim().toLowerCase());
    if ((name === 'gzip' || name === 'deflate') && !/^q=0(?:\.0*)?$/.test(weight)) return name;
  }
  return undefined;
}
