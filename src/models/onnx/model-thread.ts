// One thread for a model, seen from the thread that serves: orders go in, replies come back in order, and it may end.

import { Worker } from 'node:worker_threads';
import { HeadraceError, messageOf, type RowsVerdict, within } from '../../core/index.ts';
import type { Tensor } from '../tensor.ts';
import type { Opened, ThreadOrder, ThreadReply } from './thread-messages.ts';

export interface ModelThread {
  /** Opens a session. Throws what opening a session does, HR_MODEL_NOT_READY when the thread ends or takes too long. */
  open(order: Omit<Extract<ThreadOrder, { kind: 'open' }>, 'kind'>, limitMs: number): Promise<Opened>;
  /** Whether the rows of these tensors depend on each other, as the open model answers them. Throws as `open`. */
  judge(tensors: readonly Tensor[], providers: readonly string[], limitMs: number): Promise<RowsVerdict>;
  /** The model's bytes in shared memory. */
  share(): Promise<Uint8Array>;
  /** Closes the session; the model's bytes. */
  unload(): Promise<Uint8Array>;
  /** Begins a run, after those that were ordered before; its end comes to `replied`. */
  run(order: Extract<ThreadOrder, { kind: 'run' | 'whole' }>): void;
  /** Who hears of runs, and of the thread's end. */
  listen(listener: ThreadListener | undefined): void;
  /** Whether it keeps the process alive. */
  hold(isHeld: boolean): void;
  /** Ends it after what runs; after `limitMs` it is given up. */
  stop(limitMs: number): Promise<void>;
  /**
   * Gives it up at once: nothing that it says is heard any more, and it ends when it can. It is not terminated: a thread
   * that is stopped inside the native library takes the process with it when that returns.
   */
  abandon(): void;
  /** Something that it was ordered to do is not done: it may be inside the native library. Also once it is given up. */
  readonly isAtWork: boolean;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<void>;
}

export interface ThreadListener {
  replied(reply: ThreadReply): void;
  ended(reason: string): void;
}

// The source tree runs as it is, the package as JavaScript beside its own copy.
const SCRIPT = new URL(
  import.meta.url.endsWith('.ts') ? './inference-worker.ts' : './inference-worker.js',
  import.meta.url,
);

/** `script`: what the thread runs, which is `inference-worker` but for tests of threads that end. */
export function startThread(script: URL = SCRIPT): ModelThread {
  const worker = new Worker(script);
  let listener: ThreadListener | undefined;
  let asked: { resolve(reply: ThreadReply): void; reject(thrown: Error): void } | undefined;
  let ended: string | undefined;
  let reason: string | undefined;
  let ordered = 0;

  worker.on('message', (reply: ThreadReply) => {
    ordered--;
    // Of a thread that was given up: whoever listens has another by now.
    if (ended !== undefined) return;
    if (asked === undefined) return listener?.replied(reply);
    const { resolve } = asked;
    asked = undefined;
    resolve(reply);
  });
  worker.on('error', (thrown) => (reason = messageOf(thrown)));
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      ordered = 0;
      end(reason ?? `exit code ${code}`);
      resolve();
    });
  });
  const end = (why: string): void => {
    if (ended !== undefined) return;
    ended = why;
    asked?.reject(threadEnded(why));
    asked = undefined;
    listener?.ended(why);
  };
  const ask = (order: ThreadOrder, given: readonly ArrayBuffer[] = []): Promise<ThreadReply> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(threadEnded(ended));
      asked = { resolve, reject };
      ordered++;
      worker.postMessage(order, given);
    });
  const abandon = (why: string): void => {
    end(why);
    worker.unref();
    worker.postMessage({ kind: 'stop' } satisfies ThreadOrder);
  };

  const askWithin = async (limitMs: number, ...asked: Parameters<typeof ask>): Promise<ThreadReply> => {
    const timer = setTimeout(() => abandon(`it was not ready after ${limitMs / 1000} s`), limitMs);
    try {
      return await ask(...asked);
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    async open(order, limitMs) {
      const { buffer } = order.onnx;
      const given = buffer instanceof ArrayBuffer ? [buffer] : [];
      const reply = await askWithin(limitMs, { kind: 'open', ...order }, given);
      if ('opened' in reply) return reply.opened;
      throw failureOf(reply);
    },
    async judge(tensors, providers, limitMs) {
      const reply = await askWithin(limitMs, { kind: 'judge', tensors, providers });
      if ('rowsVerdict' in reply) return reply.rowsVerdict;
      throw failureOf(reply);
    },
    share: async () => bytesOf(await ask({ kind: 'share' })),
    unload: async () => bytesOf(await ask({ kind: 'unload' })),
    run(order) {
      ordered++;
      worker.postMessage(order);
    },
    listen: (next) => void (listener = next),
    hold: (isHeld) => (isHeld ? worker.ref() : worker.unref()),
    async stop(limitMs) {
      listener = undefined;
      abandon('it was stopped');
      await within(exited, limitMs);
    },
    abandon: () => abandon('it was given up'),
    get isAtWork() {
      return ordered > 0;
    },
    exited,
  };
}

function threadEnded(why: string): HeadraceError {
  // Of memory that ran out, or of a machine that is too busy: another time it may do.
  return new HeadraceError('HR_MODEL_NOT_READY', `the thread that opened the model ended: ${why}. It is tried again.`);
}

function failureOf(reply: ThreadReply): HeadraceError {
  if ('failure' in reply) return new HeadraceError(reply.code, reply.failure);
  return new HeadraceError('HR_INTERNAL', 'a model’s thread answered something else than it was asked');
}

function bytesOf(reply: ThreadReply): Uint8Array {
  if ('onnx' in reply) return reply.onnx;
  throw failureOf(reply);
}
