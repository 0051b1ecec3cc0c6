// The durable log of pushed events: what a push is written to before anything else, and what `pushes: 'keep'` sources
// are made of offline. Any number of processes share one directory, each with segments of its own.

import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, contentHash, HeadraceError, type Micros, MICROS_PER_SECOND, type Row } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { packFrame } from './frame.ts';
import { type IdempotencyKeys, type KeyEntry, openIdempotencyKeys } from './idempotency-keys.ts';
import { encodeBatch, lastKnown, type PushBatch, type PushedRow, valuesToJson } from './push-batch.ts';
import { isAlive, listSegments, ownTokens, readBatches, readPayloads, readPushLog } from './segment-files.ts';
import { createSegmentWriter, type SegmentWriter } from './segment-writer.ts';

export interface PushRequest {
  readonly rows: readonly {
    /** Of the source's declared columns. */
    readonly row: Row;
    /** Left out: the time of arrival. */
    readonly knownMicros?: Micros;
  }[];
  readonly idempotencyKey?: string;
}

export interface AppendResult {
  /** The rows with known time and order of arrival. Of a repeat: those of the first time, to be applied again. */
  readonly rows: readonly PushedRow[];
  /** Whether the idempotency key was met before, and nothing was appended. */
  readonly isRepeat: boolean;
}

export interface PushLog {
  /**
   * Appends a batch, whole or not at all; resolves once it is on disk. A key met before with the same rows gives the
   * first result. Throws HR_IDEMPOTENCY for the same key with other rows, HR_CONFLICT while the first is under way
   * elsewhere for too long, HR_STORAGE_FULL.
   */
  append(source: SourceSpec, request: PushRequest): Promise<AppendResult>;
  /** Every event of a source in the log, each once. */
  read(source: SourceSpec): AsyncIterable<PushedRow>;
  /** For `until-materialized` sources: deletes segments whose every event was known by `asOf`; gives how many. */
  dropCovered(source: string, asOf: Micros): Promise<number>;
  close(): Promise<void>;
}

const OTHER_PROCESS_LIMIT_MS = 5000;
const OTHER_PROCESS_POLL_MS = 10;
/** No append takes this long: the claim's process is gone and its id is another's by now. */
const LONGEST_CLAIM_MICROS = 60 * MICROS_PER_SECOND;

export function openPushLog(directory: string, { clock }: { readonly clock: Clock }): PushLog {
  const token = randomBytes(6).toString('hex');
  ownTokens.add(token);
  const writers = new Map<string, SegmentWriter>();
  const underWay = new Map<string, Promise<AppendResult>>();
  let keys: IdempotencyKeys | undefined;
  let lastOrder = 0;

  const writerOf = (source: string): SegmentWriter => {
    let writer = writers.get(source);
    if (writer === undefined) {
      writers.set(source, (writer = createSegmentWriter(join(directory, source), token, clock)));
    }
    return writer;
  };

  const appendRows = async (source: SourceSpec, request: PushRequest): Promise<AppendResult> => {
    const arrival = Math.max(clock.nowMicros(), lastOrder + 1);
    lastOrder = arrival + request.rows.length;
    const rows = request.rows.map(({ row, knownMicros = arrival }, index) => ({
      knownMicros,
      order: arrival + index,
      row,
    }));
    const { idempotencyKey } = request;
    const batch: PushBatch = idempotencyKey === undefined ? { rows } : { idempotencyKey, rows };
    await writerOf(source.name).append(packFrame(encodeBatch(source, batch)));
    return { rows, isRepeat: false };
  };

  const findBatch = async (source: SourceSpec, key: string): Promise<AppendResult | undefined> => {
    for await (const batch of readBatches(directory, source)) {
      if (batch.idempotencyKey === key) return { rows: batch.rows, isRepeat: true };
    }
    return undefined;
  };

  const appendOnce = async (
    source: SourceSpec,
    request: PushRequest,
    key: string,
    bodyHash: string,
  ): Promise<AppendResult> => {
    const shared = (keys ??= openIdempotencyKeys(join(directory, '.keys'), clock));
    const claim: KeyEntry = { bodyHash, pid: process.pid, token, atMicros: clock.nowMicros(), isDone: false };
    const existing = await settled(shared, source, key, shared.claim(source.name, key, claim), token, clock);
    if (existing !== undefined) {
      if (existing.bodyHash !== bodyHash) throw otherBody(key);
      const found = await findBatch(source, key);
      if (found !== undefined) {
        if (!existing.isDone) shared.put(source.name, key, { ...existing, isDone: true });
        return found;
      }
      // Done, and a materialize has covered it since: nothing is left to apply.
      if (existing.isDone) return { rows: [], isRepeat: true };
      // Claimed by a process that died before it wrote anything.
      shared.put(source.name, key, claim);
    }
    try {
      const result = await appendRows(source, request);
      shared.put(source.name, key, { ...claim, isDone: true });
      return result;
    } catch (error) {
      shared.release(source.name, key);
      throw error;
    }
  };

  return {
    async append(source, request) {
      const key = request.idempotencyKey;
      if (key === undefined) return appendRows(source, request);
      const bodyHash = hashOf(source, request);
      const id = JSON.stringify([source.name, key, bodyHash]);
      const first = underWay.get(id);
      if (first !== undefined) return { ...(await first), isRepeat: true };
      const work = appendOnce(source, request, key, bodyHash).finally(() => underWay.delete(id));
      underWay.set(id, work);
      return work;
    },
    read: (source) => readPushLog(directory, source),
    async dropCovered(source, asOf) {
      const segments = await listSegments(directory, source);
      const own = writers.get(source);
      let dropped = 0;
      for (const [index, segment] of segments.entries()) {
        let last = -Infinity;
        for await (const payload of readPayloads(segment)) last = Math.max(last, lastKnown(payload));
        if (last > asOf) continue;
        if (segment.token === token) {
          // Empty yet, or about to be appended to: leave it.
          if (segment.name === own?.active() && (last === -Infinity || (await own.rotate()) !== segment.name)) continue;
          if ((await lastInSegment(segment)) > asOf) continue;
        } else if (isAlive(segment) && !segments.slice(index + 1).some((later) => later.token === segment.token)) {
          // Another process may be appending to its newest segment.
          continue;
        }
        await rm(segment.path, { force: true });
        dropped++;
      }
      return dropped;
    },
    async close() {
      await Promise.all([...writers.values()].map((writer) => writer.close()));
      await keys?.close();
      ownTokens.delete(token);
    },
  };
}

async function lastInSegment(segment: Parameters<typeof readPayloads>[0]): Promise<Micros> {
  let last = -Infinity;
  for await (const payload of readPayloads(segment)) last = Math.max(last, lastKnown(payload));
  return last;
}

// Waits until another process's claim is done, or its process is gone.
async function settled(
  keys: IdempotencyKeys,
  source: SourceSpec,
  key: string,
  entry: KeyEntry | undefined,
  ownToken: string,
  clock: Clock,
): Promise<KeyEntry | undefined> {
  let current = entry;
  const limit = performance.now() + OTHER_PROCESS_LIMIT_MS;
  const isUnderWay = ({ isDone, pid, token, atMicros }: KeyEntry): boolean =>
    !isDone && token !== ownToken && clock.nowMicros() - atMicros < LONGEST_CLAIM_MICROS && isAlive({ pid, token });
  while (current !== undefined && isUnderWay(current)) {
    if (performance.now() > limit) {
      throw new HeadraceError('HR_CONFLICT', `a push with Idempotency-Key "${key}" is still under way; try again`);
    }
    await delay(OTHER_PROCESS_POLL_MS);
    current = keys.find(source.name, key);
  }
  return current;
}

function hashOf(source: SourceSpec, request: PushRequest): string {
  return contentHash(request.rows.map(({ row, knownMicros }) => [knownMicros ?? null, valuesToJson(source, row)]));
}

function otherBody(key: string): HeadraceError {
  return new HeadraceError(
    'HR_IDEMPOTENCY',
    `Idempotency-Key "${key}" came before with other rows; send the same rows again, or use a new key`,
  );
}
