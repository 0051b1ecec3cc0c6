// One call, from its headers to its trailers: who asks, messages, the answer. What refuses it is told by a status, and nothing that
// comes over the wire ends more than its own call.

import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import {
  type Actor,
  cancelled,
  createScope,
  deadlinePassed,
  HeadraceError,
  invalid,
  type Scope,
  toHeadraceError,
  withoutKeySecrets,
} from '../../../core/index.ts';
import type { BodyRoom } from '../../bytes-in-flight.ts';
import { requestIdOf } from '../../http/request-context.ts';
import type { LoggedRequest } from '../../http/request-log.ts';
import { anonymous, mayUse } from '../../http/security/gate.ts';
import { reasonOf } from '../../http/security/reason-header.ts';
import type { Known } from '../../http/security/key-ring.ts';
import { CallTrace } from './call-trace.ts';
import type { CallParts, OpenCalls } from './call-parts.ts';
import { readTimeout } from './grpc-timeout.ts';
import { ENCODINGS, type Frame, MessageFrames, unpack } from './message-frames.ts';
import type { CallContext, Method } from './method.ts';
import { errorTrailers, OK, statusOf } from './status.ts';
import { StreamBody } from './stream-body.ts';

const CONTENT_TYPE = 'application/grpc';
const ACCEPTED_ENCODINGS = ENCODINGS.join(',');
/** Of a name that a message brought. */
const LONGEST_LOGGED = 200;

export class Call implements CallContext {
  readonly requestId: string;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly credentials: IncomingHttpHeaders;
  readonly path: string;
  readonly parts: CallParts;
  readonly ip: string;
  /** Of a call that streams, once it is let in. */
  body: StreamBody | undefined;
  /** When what is waited for (a message, or that the answer is read) has to have come; undefined: nothing is. */
  dueMs: number | undefined;
  readonly #open: OpenCalls;
  readonly #method: Method | undefined;
  readonly #startMs = performance.now();
  readonly #trace: CallTrace;
  #known: Known | undefined;
  #isPermitted = false;
  #countedAs: 'streams' | 'openStreams' | undefined;
  #endpoint: string | undefined;
  /** What it is to change. */
  #object = '';
  #deadlineMs = Infinity;
  #room: BodyRoom | undefined;
  #trailers: OutgoingHttpHeaders = OK;
  #ended: HeadraceError | 'well' | undefined;

  constructor(parts: CallParts, open: OpenCalls, stream: ServerHttp2Stream, headers: IncomingHttpHeaders, ip: string) {
    this.parts = parts;
    this.#open = open;
    this.stream = stream;
    this.headers = headers;
    this.credentials = credentialsOf(headers);
    this.ip = ip;
    this.path = headers[':path'] ?? '';
    this.#method = parts.methods.get(this.path);
    this.requestId = parts.requestId(requestIdOf(headers['x-request-id']));
    const tracing = this.#method?.role === 'open' ? undefined : parts.tracing;
    this.#trace = new CallTrace(tracing, this.#method === undefined ? undefined : this.path, headers);
    this.dueMs = this.#startMs + parts.limits.bodyTimeoutMs;
  }

  get actor(): Actor {
    return this.#known?.actor ?? anonymous(this.ip);
  }

  get role(): Method['role'] {
    return this.#method?.role ?? 'known';
  }

  /** Nothing can be sent any more: the client has given the call up, or was given up. */
  get isGone(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  /** How it ends is decided: nothing more is asked, and nothing more answered. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  get isStream(): boolean {
    return this.#method?.kind === 'stream';
  }

  begin(): void {
    const { stream } = this;
    // A client that goes away ends its call, and is told nothing.
    stream.on('error', () => {});
    stream.once('close', () => this.#closed());
    stream.once('wantTrailers', () => {
      if (!this.isGone) stream.sendTrailers(this.#trailers);
    });
    try {
      this.#deadlineMs = this.#startMs + (readTimeout(headerOf(this.headers, 'grpc-timeout')) ?? Infinity);
      const known = this.parts.gate.identify(this.credentials, this.ip, this.role);
      if (!(known instanceof Promise)) this.#enter(known);
      else
        known.then(
          (late) => {
            // Whoever has left meanwhile takes no place that nobody would give back.
            if (!this.hasEnded && !this.isGone) this.#guarded(() => this.#enter(late));
          },
          (thrown: unknown) => this.fail(thrown),
        );
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  permit(endpoint?: string): void {
    this.#endpoint = endpoint;
    // It is known since it was let in.
    this.parts.gate.permit(this.#known as Known, this.role, endpoint);
    this.#isPermitted = true;
  }

  scope(timeoutMs = Infinity): Scope {
    if (!this.#isPermitted) throw new Error('a call is claimed that nobody was let in to');
    const { requestId, actor } = this;
    const deadlineMs = Math.min(this.#deadlineMs, performance.now() + Math.min(timeoutMs, this.#messageMs()));
    const { traceId, span } = this.#trace;
    return createScope({ requestId, traceId, actor, deadlineMs, priority: 'online', span, connection: this.stream });
  }

  rowsFailed(errors: readonly HeadraceError[]): void {
    this.parts.log.rowsFailed(() => this.#logged(), errors);
  }

  header(name: string): string | undefined {
    return headerOf(this.headers, name);
  }

  /** One message, unpacked, with room taken for it. */
  unpacked({ isPacked, bytes }: Frame, room = this.#room): Buffer | Promise<Buffer> {
    if (!isPacked) return bytes;
    const { bodyLimitBytes } = this.parts.limits;
    return unpack(bytes, headerOf(this.headers, 'grpc-encoding') ?? 'identity', bodyLimitBytes).then((whole) => {
      room?.take(whole.length);
      return whole;
    });
  }

  respond(): void {
    if (this.stream.headersSent) return;
    this.stream.respond(this.#greeting(), { waitForTrailers: true });
  }

  /** Whether somebody was let in who may be answered; else the call fails. */
  mayAnswer(): boolean {
    if (this.#isPermitted || this.role === 'open') return true;
    this.fail(new Error(`${this.path} was answered, and nobody was let in`));
    return false;
  }

  /** Ends well; `message` is the answer of a call that streams nothing. */
  end(message?: Buffer): void {
    if (message !== undefined && !this.mayAnswer()) return;
    if (this.#ended !== undefined || this.isGone) return;
    this.#ended = 'well';
    this.#room?.release();
    this.respond();
    this.stream.end(message);
    this.#leave();
  }

  fail(thrown: unknown): void {
    if (this.#ended !== undefined) return;
    const error = toHeadraceError(thrown);
    this.#ended = error;
    this.#room?.release();
    this.parts.log.failed(() => this.#logged(), error);
    this.#noteRefusal(error);
    if (this.isGone) return;
    const trailers = errorTrailers(error, this.requestId, this.#known?.actor);
    if (this.stream.headersSent) {
      this.#trailers = trailers;
      this.stream.end();
    } else {
      this.stream.respond({ ...this.#greeting(), ...trailers }, { endStream: true });
      // What the client still sends is not waited for. Behind other trailers that would overtake them.
      if (!this.stream.readableEnded) this.stream.close(constants.NGHTTP2_NO_ERROR);
    }
    this.#leave();
  }

  /** What was waited for has not come in time. */
  late(): void {
    this.dueMs = undefined;
    const { bodyTimeoutMs } = this.parts.limits;
    if (this.#ended !== undefined || this.body?.isStalled === true) this.stream.close(constants.NGHTTP2_CANCEL);
    else {
      const message = `the message did not arrive within ${bodyTimeoutMs} ms (server.bodyTimeoutMs)`;
      this.fail(new HeadraceError('HR_INVALID', `${message}. Send it again, or fewer rows.`));
    }
  }

  /** Its key has ended, or was taken away. */
  refuse(): void {
    this.fail(
      new HeadraceError('HR_UNAUTHENTICATED', 'the key or token that the stream began with is no longer in force.'),
    );
  }

  /** Of a stream whose client named a deadline, whatever is under way; else of a message that is waited for. */
  checkDeadline(): void {
    const isWaiting = this.body !== undefined || this.dueMs !== undefined;
    if (isWaiting && this.#ended === undefined && performance.now() > this.#deadlineMs)
      this.fail(deadlinePassed('its messages were waited for', 1));
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** From a message's arrival: of a call whose client named no deadline, and of each message of a stream. */
  #messageMs(): number {
    return this.isStream || this.#deadlineMs === Infinity ? this.parts.limits.requestTimeoutMs : Infinity;
  }

  #enter(known: Known): void {
    this.#known = known;
    const method = this.#method;
    if (method === undefined) {
      // Whoever has a key is told, and no more often than that allows.
      this.permit();
      const sentence = `there is no method ${this.path.slice(0, 200)}. Reflection lists the services.`;
      throw new HeadraceError('HR_METHOD_NOT_ALLOWED', sentence);
    }
    // Which endpoint it is about is in the message, which is not read of whoever lacks the role; but the audit log tells what
    // was to be changed.
    const isTold = method.kind === 'unary' && method.changes !== undefined;
    if (method.role !== 'open' && !isTold && !mayUse(known.actor, method.role, undefined)) this.permit();
    const encoding = headerOf(this.headers, 'grpc-encoding') ?? 'identity';
    if (!ENCODINGS.includes(encoding)) {
      const sentence = `the call’s grpc-encoding is "${encoding.slice(0, 50)}"; the server takes ${ENCODINGS.join(', ')}.`;
      throw new HeadraceError('HR_METHOD_NOT_ALLOWED', sentence);
    }
    const { maxCalls, maxStreams } = this.parts.limits;
    if (this.#open.calls > maxCalls)
      throw new HeadraceError('HR_OVERLOADED', `${maxCalls} calls are open already. Retry after a second.`);
    if (method.kind === 'unary') return this.#readOne(method);
    const kind = this.role === 'open' ? 'openStreams' : 'streams';
    if (this.#open[kind] >= maxStreams) {
      const sentence = `${maxStreams} streams are open already (server.maxStreams). Retry after a second.`;
      throw new HeadraceError('HR_OVERLOADED', sentence);
    }
    this.#countedAs = kind;
    this.#open[kind]++;
    this.body = new StreamBody(this, method);
  }

  #readOne(method: Extract<Method, { kind: 'unary' }>): void {
    const room = (this.#room = this.parts.bytes.open(this.stream));
    const frames = new MessageFrames(this.parts.limits.bodyLimitBytes);
    let only: Frame | undefined;
    this.stream.on('data', (chunk: Buffer) => {
      if (this.#ended !== undefined) return;
      this.#guarded(() => {
        room.take(chunk.length);
        for (const frame of frames.push(chunk)) {
          if (only !== undefined) throw invalid([{ path: 'message', message: 'expected one, got several' }]);
          only = frame;
        }
      });
    });
    this.stream.once('end', () => {
      if (this.#ended !== undefined || this.stream.aborted) return;
      if (only === undefined || frames.isBegun) {
        const message = frames.isBegun ? 'expected a whole one, got a part' : 'expected one, got none';
        return this.fail(invalid([{ path: 'message', message }]));
      }
      this.dueMs = undefined;
      void this.#answer(method, only);
    });
  }

  async #answer(method: Extract<Method, { kind: 'unary' }>, frame: Frame): Promise<void> {
    try {
      const message = this.unpacked(frame);
      const whole = message instanceof Promise ? await message : message;
      if (method.changes !== undefined) this.#object = method.changes.object(whole);
      const answer = method.answer(whole, this);
      this.end(answer instanceof Promise ? await answer : answer);
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  #noteRefusal(error: HeadraceError): void {
    const method = this.#method;
    if (method?.kind !== 'unary' || method.changes === undefined) return;
    const kind = method.changes.action.slice(0, method.changes.action.indexOf('.'));
    const object = `${kind}/${withoutKeySecrets(this.#object).slice(0, LONGEST_LOGGED)}`;
    const reason = reasonOf(this);
    this.parts.refused.note({ action: method.changes.action, object, actor: this.actor, reason }, error);
  }

  #greeting(): OutgoingHttpHeaders {
    const { traceparent } = this.#trace;
    const greeting = {
      ':status': 200,
      'content-type': CONTENT_TYPE,
      'grpc-accept-encoding': ACCEPTED_ENCODINGS,
      'x-request-id': this.requestId,
    };
    return traceparent === undefined ? greeting : { ...greeting, traceparent };
  }

  #leave(): void {
    this.dueMs = performance.now() + this.parts.limits.bodyTimeoutMs;
  }

  #closed(): void {
    this.#room?.release();
    if (this.#countedAs !== undefined) this.#open[this.#countedAs]--;
    const ended = (this.#ended ??= cancelled('it was under way'));
    this.body?.closed();
    const status = ended === 'well' ? { name: 'OK', code: 0 } : statusOf(ended);
    this.#trace.end(status.code, this.requestId, this.#endpoint, ended === 'well' ? undefined : ended);
    if (this.parts.loggedRequests !== 'all') return;
    const latencyMs = Math.round((performance.now() - this.#startMs) * 1000) / 1000;
    const code = ended === 'well' ? {} : { code: ended.code };
    this.parts.logger.info({ ...this.#logged(), grpcStatus: status.name, ...code, latencyMs }, 'request');
  }

  #logged(): LoggedRequest {
    return {
      requestId: this.requestId,
      traceId: this.#trace.traceId,
      ...(this.#endpoint === undefined ? {} : { endpoint: withoutKeySecrets(this.#endpoint).slice(0, LONGEST_LOGGED) }),
      actor: this.actor.name,
      method: 'POST',
      route: this.#method === undefined ? 'unknown' : this.path,
    };
  }
}

/** One text; what came several times is none. */
function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

// What the gate looks at. HTTP/2 has the host in a header of its own.
function credentialsOf(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { authorization, origin } = headers;
  return {
    authorization,
    'x-api-key': headers['x-api-key'],
    host: headers[':authority'] ?? headers.host,
    origin,
    'sec-fetch-site': headers['sec-fetch-site'],
  };
}
