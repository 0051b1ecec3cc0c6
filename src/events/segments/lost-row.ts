// A writer whose row the registry has lost with its last commits: the row is added again, with the segments that the object
// store holds of its log. Where another writer was given its number meanwhile, its log gets a new number. A file in each folder
// names the registry that it belongs to, since the lost row can't.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, syncPath } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { WriterRow } from '../event-log.ts';
import type { ShippedTable } from '../tables/shipped-table.ts';
import { isLost, type WriterTable } from '../tables/writer-table.ts';
import { folderName, segmentKey } from './local-segments.ts';
import { checkSegmentInTurns, type SegmentSummary } from './segment.ts';
import { storeFailed } from './shipping.ts';

export interface LostRowContext {
  readonly writers: Pick<WriterTable, 'all' | 'restore'>;
  readonly shipped: Pick<ShippedTable, 'addWithin'>;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Adds the row and its shipped segments in one transaction: no reader finds a part of the log. False where the registry has a
 * row of that number. `before`: the first segment that is only on this disk. Throws HR_STORAGE_UNAVAILABLE, HR_LOG_DAMAGED; then
 * nothing was added.
 */
export async function restoreRow(
  row: WriterRow,
  before: number | undefined,
  context: LostRowContext,
): Promise<boolean> {
  const { writers, shipped, objects, clock, logger } = context;
  const { number: writer } = row;
  if ((await writers.all()).some((known) => known.number === writer && !isLost(known))) return false;
  const segments: Omit<FoundSegment, 'bytes'>[] = [];
  for await (const { seq, summary } of readSegments(row, before, objects)) segments.push({ seq, summary });
  const isRestored = await writers.restore(row, async (trx) => {
    for (const { seq, summary } of segments) await shipped.addWithin(trx, writer, seq, summary, clock.nowMicros());
  });
  if (!isRestored) return false;
  logger.error(
    { writer, segments: segments.length },
    `the registry has lost commits: it did not know writer ${writer} any more. Its row was added again, and what it took counts`,
  );
  return true;
}

/**
 * Of a log that has a new number: copies what the object store holds of it under its former one, and adds it to its row, from the
 * first segment on. May be done again. `before` as in `restoreRow`. Throws HR_STORAGE_UNAVAILABLE, HR_LOG_DAMAGED.
 */
export async function copySegments(
  { number: writer, token }: Pick<WriterRow, 'number' | 'token'>,
  former: number,
  before: number | undefined,
  {
    shipped,
    objects,
    clock,
  }: Pick<LostRowContext, 'objects' | 'clock'> & { readonly shipped: Pick<ShippedTable, 'add'> },
): Promise<void> {
  for await (const { seq, summary, bytes } of readSegments({ number: former, token }, before, objects)) {
    const key = segmentKey(writer, token, seq);
    await objects.put(key, bytes, { ifAbsent: true }).catch((error: unknown) => {
      throw storeFailed(error, key);
    });
    await shipped.add(writer, seq, summary, clock.nowMicros());
  }
}

interface FoundSegment {
  readonly seq: number;
  readonly summary: SegmentSummary;
  readonly bytes: Buffer;
}

/** What the object store holds of a log, ascending. */
async function* readSegments(
  { number: writer, token }: Pick<WriterRow, 'number' | 'token'>,
  before: number | undefined,
  objects: ObjectStore,
): AsyncGenerator<FoundSegment> {
  const prefix = `events/${folderName(writer, token)}/`;
  const seqs: number[] = [];
  for await (const { key } of objects.list(prefix)) {
    const seq = Number.parseInt(key.slice(prefix.length), 10);
    if (segmentKey(writer, token, seq) === key && (before === undefined || seq < before)) seqs.push(seq);
  }
  for (const seq of seqs.toSorted((a, b) => a - b)) {
    const name = segmentKey(writer, token, seq);
    const object = await objects.get(name).catch((error: unknown) => {
      throw storeFailed(error, name);
    });
    if (object === undefined) continue;
    const bytes = Buffer.from(object.buffer, object.byteOffset, object.length);
    const summary = await checkSegmentInTurns(bytes, { writer, token, seq, name });
    if (summary !== undefined) yield { seq, summary, bytes };
  }
}

/** A row as a writer had it whose log lies at `place`; who held the log last is not known. */
export function lostRow(row: Pick<WriterRow, 'number' | 'token' | 'machine' | 'place'>, atMicros: number): WriterRow {
  const unknown = { holder: 1, state: 'open', cut: 0, shipped: 0, removed: 0, logged: 0 } as const;
  return { ...row, ...unknown, registeredMicros: atMicros, seenMicros: atMicros };
}

const REGISTRY_FILE = 'registry';
const FORMER_FILE = 'former';

/** Notes in a new log's folder which registry it is of. */
export function noteRegistry(folder: string, registry: string): Promise<void> {
  return writeFile(join(folder, REGISTRY_FILE), registry);
}

/** Undefined for a folder of a time before that was noted. */
export function registryOf(folder: string): Promise<string | undefined> {
  return readFile(join(folder, REGISTRY_FILE), 'utf8').catch(() => undefined);
}

/** Notes in the folder of a log that has a new number which one it had before. Durable once it resolves. */
export async function noteFormer(folder: string, number: number): Promise<void> {
  const file = join(folder, FORMER_FILE);
  await writeFile(file, String(number));
  await syncPath(file);
  await syncPath(folder);
}

/** Undefined for a log that has the number it began with. */
export async function formerOf(folder: string): Promise<number | undefined> {
  const noted = await readFile(join(folder, FORMER_FILE), 'utf8').catch(() => undefined);
  return noted === undefined ? undefined : Number(noted);
}
