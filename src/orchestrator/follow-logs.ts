// What a run's tasks print, as they print it, where they run on this machine; of others once they have ended.

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunsDeps } from './orchestrator-deps.ts';
import { openRunStore } from './rows/open-run-store.ts';
import { readStoredLog, taskDirectory, type TaskLog } from './run-logs.ts';

/** An attempt at work. */
interface Followed {
  readonly at: Omit<TaskLog, 'text'>;
  /** Bytes of its log that were read. */
  told: number;
  /** Holds the beginning of a character whose end is still to be read. */
  readonly decoder: StringDecoder;
}

const LOOK_MS = 250;
/** Of one log at once. */
const MOST_BYTES = 256 * 1024;

/** Pieces of logs, until the run has ended. Throws HR_UNKNOWN_RUN. */
export async function* followLogs(
  deps: RunsDeps,
  runId: string,
  { step, signal }: { readonly step?: string; readonly signal?: AbortSignal } = {},
): AsyncGenerator<TaskLog> {
  const store = await openRunStore(deps.database, deps.clock);
  await store.get(runId);
  const atWork = new Map<string, Followed>();
  const news = async function* (key: string, isOver: boolean): AsyncGenerator<TaskLog> {
    const one = atWork.get(key);
    if (one === undefined) return;
    for (;;) {
      const piece = await readFrom(join(taskDirectory(deps.workDirectory, { runId, ...one.at }), 'log.txt'), one.told);
      if (piece === undefined) {
        // It ran on another machine, or its folder is gone.
        const stored = isOver && one.told === 0 ? await readStoredLog(deps, { runId, ...one.at }) : undefined;
        if (stored !== undefined) yield { ...one.at, text: stored };
        break;
      }
      if (piece.length === 0) break;
      one.told += piece.length;
      const text = one.decoder.write(piece);
      if (text !== '') yield { ...one.at, text };
    }
    if (!isOver) return;
    atWork.delete(key);
    const rest = one.decoder.end();
    if (rest !== '') yield { ...one.at, text: rest };
  };
  for (let after = 0; signal?.aborted !== true; ) {
    // Before the events: those of its end are read once more then.
    const { run } = await store.get(runId);
    const events = await store.events(runId, after);
    for (const { number, kind, step: of, scope, index, count, attempt } of events) {
      after = number;
      if (of === null || index === null || attempt === null || (step !== undefined && step !== of)) continue;
      for (let place = index; place < index + (count ?? 1); place++) {
        const at = { step: of, scope: scope ?? '', index: place, attempt };
        const key = `${of} ${at.scope} ${place} ${attempt}`;
        if (kind === 'claimed') atWork.set(key, { at, told: 0, decoder: new StringDecoder() });
        else yield* news(key, true);
      }
    }
    for (const key of atWork.keys()) yield* news(key, false);
    if (events.length > 0) continue;
    if (run.state !== 'running' && run.state !== 'queued') return;
    await delay(LOOK_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
}

async function readFrom(path: string, from: number): Promise<Buffer | undefined> {
  let file;
  try {
    file = await open(path);
  } catch {
    return undefined;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
