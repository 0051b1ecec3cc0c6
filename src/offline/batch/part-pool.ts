// A batch's threads: each has the model open and takes the next part when it is free.

import { Worker } from 'node:worker_threads';
import { HeadraceError, IS_SOURCE, messageOf } from '../../core/index.ts';
import type { PartOrder, PartReply, PartWork } from './part-messages.ts';
import type { WrittenPart } from './part-writer.ts';

export interface PartPoolOptions {
  readonly threads: number;
  readonly work: PartWork;
  readonly orders: readonly PartOrder[];
  /** A part's file is whole; the next part of its thread begins once this resolved. */
  readonly written: (order: PartOrder, part: WrittenPart) => Promise<void>;
  readonly scored: (rows: number) => void;
  readonly signal: AbortSignal | undefined;
}

const SCRIPT = new URL(IS_SOURCE ? './part-worker.ts' : './part-worker.js', import.meta.url);

/** Throws the first failure, once every thread has ended with the part that it had. */
export async function writeParts(options: PartPoolOptions): Promise<void> {
  const waiting = [...options.orders];
  const failures: unknown[] = [];
  const next = (): PartOrder | undefined =>
    failures.length > 0 || options.signal?.aborted === true ? undefined : waiting.shift();
  const threads = Math.min(options.threads, waiting.length);
  await Promise.all(
    Array.from({ length: threads }, () => runThread(options, next).catch((e: unknown) => failures.push(e))),
  );
  if (failures.length > 0) throw failures[0];
  options.signal?.throwIfAborted();
}

function runThread({ work, written, scored }: PartPoolOptions, next: () => PartOrder | undefined): Promise<void> {
  const worker = new Worker(SCRIPT, { workerData: work });
  let current: PartOrder | undefined;
  const give = (): void => {
    current = next();
    worker.postMessage(current ?? 'stop');
  };
  return new Promise((resolve, reject) => {
    let failure: unknown;
    const fail = (thrown: unknown): void => {
      failure ??= thrown;
      worker.postMessage('stop');
    };
    worker.on('message', (reply: PartReply) => {
      if (reply.kind === 'scored') return scored(reply.rows);
      if (reply.kind === 'failed') return fail(new HeadraceError(reply.code, reply.message));
      const { failed, bytes, sha256 } = reply;
      written(current as PartOrder, { failed, bytes, sha256 }).then(give, fail);
    });
    worker.on(
      'error',
      (thrown) => (failure ??= new HeadraceError('HR_INTERNAL', `a thread ended: ${messageOf(thrown)}`)),
    );
    worker.on('exit', () => {
      if (failure !== undefined) reject(failure as Error);
      else if (current !== undefined) reject(new HeadraceError('HR_INTERNAL', 'a thread of the batch ended by itself'));
      else resolve();
    });
    give();
  });
}
