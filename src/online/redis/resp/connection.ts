// One connection to one server: pipelines what is asked, fails fast when it is down, and tries again for ever. A
// command that is not answered in time ends the connection, since it may still be done later.

import { CommandBuffer } from './command-buffer.ts';
import { greet, type RedisLogin } from './greeting.ts';
import { createPending, type OnEachReply } from './pending.ts';
import { createReplyFramer } from './reply-framer.ts';
import { openSocket, type RedisSocket } from './socket.ts';

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly login: RedisLogin;
  /** As CLIENT LIST shows it; no spaces. */
  readonly name: string;
  /** Default 1,000: the request that waits for it has a deadline of about a second. */
  readonly timeoutMs?: number;
  /** Default true: when it is lost it is opened again, for ever. */
  readonly isLasting?: boolean;
  /** Called on each new connection, once it has its name and before anything else is sent on it. */
  onReady?(): void;
  /** Called when it was lost, and after each try in vain. */
  onLost?(reason: Error): void;
}

export interface Connection {
  /** Counts the times it was opened: who sees the same number twice has met the same socket. */
  readonly epoch: number;
  readonly isReady: boolean;
  readonly unacknowledgedBytes: number;
  /** Resolves when the first try to connect has ended, well or not. */
  readonly tried: Promise<void>;
  /**
   * `encode` writes commands and gives how many; they go out together with all else of this turn. Resolves once all are
   * answered; an error reply is for `onReply` to see. Rejects with ConnectionLost when there is no connection or it ends.
   */
  request(encode: (out: CommandBuffer) => number, onReply?: OnEachReply): Promise<void>;
  /** Sends what was asked so far now, not at the end of the turn. */
  flush(): void;
  /** Resolves when fewer than `bytes` are unacknowledged, or the connection is lost. */
  drainTo(bytes: number): Promise<void>;
  /** Ends this socket as if it were lost; a lasting connection is opened again. */
  drop(reason: Error): void;
  close(): void;
}

/** There is no connection, or it ended before the answer came: the command may or may not be done, even later. */
export class ConnectionLost extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConnectionLost';
  }
}

const TIMEOUT_MS = 1000;
const CONNECT_TIMEOUT_MS = 2000;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;
/** An idle lasting connection is tried so often: a machine that went without a word is missed. */
const HEARTBEAT_MS = 1000;
/** Past so many bytes a turn's commands go out before its end. */
const FLUSH_AT_BYTES = 128 * 1024;
const MOST_SPARE_BUFFERS = 4;
const LARGEST_SPARE_BYTES = 1024 * 1024;

/** `open`: how a socket is had; tests give their own. */
export function openConnection(options: ConnectionOptions, open = openSocket): Connection {
  const { timeoutMs = TIMEOUT_MS, isLasting = true } = options;
  const nowMs = () => performance.now();
  const pending = createPending(nowMs);
  const spare: Buffer[] = [];
  let out = new CommandBuffer();
  let socket: RedisSocket | undefined;
  let isReady = false;
  let isClosed = false;
  let epoch = 0;
  let reason: Error = new ConnectionLost('there is no connection to it yet');
  let retryMs = FIRST_RETRY_MS;
  let retryTimer: NodeJS.Timeout | undefined;
  let watchTimer: NodeJS.Timeout | undefined;
  let isFlushPlanned = false;
  const tried = Promise.withResolvers<void>();
  let drains: { readonly bytes: number; readonly resolve: () => void }[] = [];

  const connection: Connection = {
    get epoch() {
      return epoch;
    },
    get isReady() {
      return isReady;
    },
    get unacknowledgedBytes() {
      return pending.unacknowledgedBytes;
    },
    tried: tried.promise,
    request(encode, onReply) {
      if (!isReady) return Promise.reject(reason);
      return ask(encode, onReply);
    },
    flush,
    drainTo(bytes) {
      if (pending.unacknowledgedBytes < bytes) return Promise.resolve();
      return new Promise((resolve) => drains.push({ bytes, resolve }));
    },
    drop: (why) => lose(why),
    close() {
      isClosed = true;
      lose(new ConnectionLost('the connection to it was closed'));
      reason = new ConnectionLost('the connection to it was closed');
      clearTimeout(retryTimer);
      clearTimeout(watchTimer);
      tried.resolve();
    },
  };
  connect();
  return connection;

  function connect(): void {
    const framer = createReplyFramer(pending.answer);
    const opening = open(options.host, options.port, options.login.isTls, {
      onData(chunk) {
        if (socket !== opening) return;
        try {
          framer.push(chunk);
        } catch (error) {
          lose(error as Error);
          return;
        }
        if (drains.length > 0) wakeDrains();
      },
      onEnd(error) {
        if (socket === opening) lose(error ?? new ConnectionLost('it ended the connection'));
      },
      onOpen() {
        if (socket === opening) void arrive(opening);
      },
    });
    socket = opening;
    watchTimer = setTimeout(() => {
      if (!isReady && socket === opening) lose(new ConnectionLost(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
    }, CONNECT_TIMEOUT_MS);
  }

  async function arrive(opened: RedisSocket): Promise<void> {
    try {
      await greet(ask, options.login, options.name);
    } catch (error) {
      if (socket === opened) lose(error as Error);
      return;
    }
    if (socket !== opened) return;
    clearTimeout(watchTimer);
    isReady = true;
    epoch++;
    retryMs = FIRST_RETRY_MS;
    watchTimer = setTimeout(watch, Math.min(timeoutMs, HEARTBEAT_MS));
    watchTimer.unref();
    options.onReady?.();
    tried.resolve();
  }

  function ask(encode: (out: CommandBuffer) => number, onReply?: OnEachReply): Promise<void> {
    const before = out.length;
    let count: number;
    try {
      count = encode(out);
    } catch (error) {
      out.cutTo(before);
      throw error;
    }
    if (count === 0) return Promise.resolve();
    const answered = pending.add(count, out.length - before, onReply);
    if (out.length >= FLUSH_AT_BYTES) {
      flush();
    } else if (!isFlushPlanned) {
      isFlushPlanned = true;
      setImmediate(flush);
    }
    return answered;
  }

  function flush(): void {
    isFlushPlanned = false;
    if (out.length === 0 || socket === undefined) return;
    const { written, memory } = out.take();
    out = new CommandBuffer(spare.pop());
    socket.write(written, () => {
      if (spare.length < MOST_SPARE_BUFFERS && memory.length <= LARGEST_SPARE_BYTES) spare.push(memory);
    });
  }

  // One timer for the whole queue: the oldest is the first to be late.
  function watch(): void {
    const waitedMs = nowMs() - (pending.oldestMs ?? nowMs());
    if (waitedMs >= timeoutMs) {
      // This process itself may have been busy: what lies in the socket is read before it is judged.
      const watched = socket;
      setImmediate(() => {
        if (socket !== watched || !isReady) return;
        const oldestMs = pending.oldestMs;
        if (oldestMs !== undefined && nowMs() - oldestMs >= timeoutMs) {
          lose(new ConnectionLost(`no answer within ${timeoutMs} ms`));
        } else {
          watchTimer = setTimeout(watch, Math.min(timeoutMs, HEARTBEAT_MS));
          watchTimer.unref();
        }
      });
      return;
    }
    if (pending.oldestMs === undefined && isLasting) ask(ping).catch(() => {});
    watchTimer = setTimeout(watch, Math.min(timeoutMs - waitedMs, HEARTBEAT_MS));
    watchTimer.unref();
  }

  function lose(why: Error): void {
    if (socket === undefined) return;
    const wasOpen = socket;
    socket = undefined;
    isReady = false;
    reason = why instanceof ConnectionLost ? why : new ConnectionLost(why.message);
    clearTimeout(watchTimer);
    wasOpen.destroy();
    out.cutTo(0);
    pending.failAll(reason);
    wakeDrains();
    tried.resolve();
    if (isClosed) return;
    if (isLasting) {
      retryTimer = setTimeout(connect, retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    }
    options.onLost?.(reason);
  }

  function wakeDrains(): void {
    const waiting = drains;
    drains = [];
    for (const drain of waiting) {
      if (pending.unacknowledgedBytes < drain.bytes) drain.resolve();
      else drains.push(drain);
    }
  }
}

function ping(out: CommandBuffer): number {
  out.words('PING');
  return 1;
}
