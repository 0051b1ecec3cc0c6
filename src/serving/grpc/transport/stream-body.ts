// The messages of a call that streams: given to its method one after the other, no faster than it takes them, and sent no faster than
// the client reads.

import { invalid } from '../../../core/index.ts';
import type { BodyRoom } from '../../bytes-in-flight.ts';
import type { Call } from './call.ts';
import { type Frame, MessageFrames } from './message-frames.ts';
import type { StreamCall, StreamHandler, StreamMethod } from './method.ts';

/** Messages that wait for their turn; past it the client is not read any more. */
const MOST_WAITING = 8;

interface Waiting {
  readonly frame: Frame;
  readonly room: BodyRoom;
}

export class StreamBody {
  readonly #call: Call;
  readonly #frames: MessageFrames;
  readonly #handler: StreamHandler;
  readonly #waiting: Waiting[] = [];
  /** For what has come of the message under way. */
  readonly #room: BodyRoom;
  #isBusy = false;
  #hasEnded = false;
  #isStopping = false;
  /** No message is given any more. */
  #isEnding = false;
  #drain: PromiseWithResolvers<void> | undefined;

  constructor(call: Call, method: StreamMethod) {
    this.#call = call;
    this.#frames = new MessageFrames(call.parts.limits.bodyLimitBytes);
    const { stream } = call;
    this.#room = call.parts.bytes.open(stream);
    call.dueMs = undefined;
    this.#handler = method.open(this.#callOf());
    stream.on('data', (chunk: Buffer) => this.#guarded(() => this.#took(chunk)));
    stream.once('end', () => {
      if (stream.aborted) return;
      this.#hasEnded = true;
      this.#guarded(() => {
        if (this.#frames.isBegun) throw invalid([{ path: 'message', message: 'expected a whole one, got a part' }]);
        this.#next();
      });
    });
    stream.on('drain', () => {
      call.dueMs = this.#frames.isBegun ? call.dueMs : undefined;
      this.#drain?.resolve();
      this.#drain = undefined;
    });
  }

  /** Whether the client does not read what was sent. */
  get isStalled(): boolean {
    return this.#drain !== undefined;
  }

  /** What has come is still answered. */
  stopping(): void {
    this.#isStopping = true;
    // It waits for something else than messages.
    if (this.#isEnding) void this.#handler.stopping();
    else this.#next();
  }

  closed(): void {
    this.#waiting.length = 0;
    // Whoever waits for room goes on, and finds that nobody reads.
    this.#drain?.resolve();
    this.#drain = undefined;
    this.#handler.closed();
  }

  #callOf(): StreamCall {
    const call = this.#call;
    const send = (message: Buffer): Promise<void> | undefined => this.#send(message);
    return {
      requestId: call.requestId,
      get actor() {
        return call.actor;
      },
      permit: (endpoint) => call.permit(endpoint),
      scope: (timeoutMs) => call.scope(timeoutMs),
      header: (name) => call.header(name),
      rowsFailed: (errors) => call.rowsFailed(errors),
      fail: (thrown) => call.fail(thrown),
      send,
    };
  }

  #took(chunk: Buffer): void {
    if (this.#call.hasEnded || this.#isStopping) return;
    const { limits, bytes } = this.#call.parts;
    this.#room.take(chunk.length);
    const wasBegun = this.#frames.isBegun;
    const whole = this.#frames.push(chunk);
    // Each message holds its own until it is done with.
    this.#room.release();
    for (const frame of whole) {
      const room = bytes.open(this.#call.stream);
      room.take(frame.bytes.length);
      this.#waiting.push({ frame, room });
    }
    this.#room.take(this.#frames.heldBytes);
    if (!this.#frames.isBegun) this.#call.dueMs = this.isStalled ? this.#call.dueMs : undefined;
    else if (whole.length > 0 || !wasBegun) this.#call.dueMs = performance.now() + limits.bodyTimeoutMs;
    if (this.#waiting.length >= MOST_WAITING) this.#call.stream.pause();
    this.#next();
  }

  #next(): void {
    if (this.#isBusy || this.#call.hasEnded) return;
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#isEnding = this.#hasEnded || this.#isStopping;
      if (this.#hasEnded) void this.#do(() => this.#handler.ended(), true);
      else if (this.#isStopping) void this.#do(() => this.#handler.stopping(), true);
      return;
    }
    if (this.#waiting.length < MOST_WAITING) this.#call.stream.resume();
    void this.#do(async () => {
      const { frame, room } = next;
      const message = this.#call.unpacked(frame, room);
      await this.#handler.message(message instanceof Promise ? await message : message, () => room.release());
    });
  }

  async #do(work: () => Promise<void> | undefined, isLast = false): Promise<void> {
    this.#isBusy = true;
    try {
      await work();
      this.#isBusy = false;
      if (isLast) this.#call.end();
      else this.#next();
    } catch (thrown) {
      this.#call.fail(thrown);
    }
  }

  #send(message: Buffer): Promise<void> | undefined {
    const { stream, parts } = this.#call;
    if (this.#call.hasEnded || this.#call.isGone || !this.#call.mayAnswer()) return undefined;
    this.#call.respond();
    if (stream.write(message)) return undefined;
    if (this.#drain === undefined) {
      this.#drain = Promise.withResolvers<void>();
      this.#call.dueMs = performance.now() + parts.limits.bodyTimeoutMs;
    }
    return this.#drain.promise;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#call.fail(thrown);
    }
  }
}
