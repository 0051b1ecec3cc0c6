// What goes from the log: its oldest hours, past an age or a size, and files of a compaction that was killed.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import { removeStaleDecoded } from './decoded-segments.ts';
import { keepOf, type KeepRules } from './keep-rules.ts';
import { listOutcomes, listParquet, listWriters, type ParquetFile, temporaryFolder } from './segments.ts';

/** `size`: what is younger takes all the room there is. `unneeded`: outcomes of predictions that are gone. */
export type GoesBy = 'age' | 'size' | 'unneeded';

export interface Going {
  readonly file: ParquetFile;
  readonly bytes: number;
  readonly by: GoesBy;
}

/**
 * What of the Parquet files is past what is kept. Outcomes stay as long as there is a prediction that they may be of: one is
 * recorded in the hour of its prediction or later.
 */
export async function listGoing(
  directory: string,
  keep: KeepRules,
  nowMicros: Micros,
  maxBytes = Infinity,
): Promise<readonly Going[]> {
  const sized = async (files: readonly ParquetFile[]): Promise<Sized[]> => {
    const found: Sized[] = [];
    for (const file of files.toReversed()) found.push({ file, bytes: await sizeOf(file.path) });
    return found;
  };
  const predictions = await sized(await listParquet(directory, 'predictions'));
  const outcomes = await sized(await listOutcomes(directory));
  const waiting = (await listWriters(directory)).flatMap(({ segments }) => segments.map(({ name }) => startOf(name)));
  const isOld = ({ file }: Sized, endpoint: string | undefined): boolean =>
    file.hour + MICROS_PER_HOUR <= nowMicros - keepOf(keep, endpoint);
  const going: Going[] = [];
  const go = (one: Sized, by: GoesBy): void => void going.push({ ...one, by });

  let bytes = outcomes.reduce((sum, one) => sum + one.bytes, 0);
  let oldest = Math.min(Infinity, ...waiting);
  // Newest first, so that what no longer fits is the oldest.
  for (const one of predictions) {
    if (isOld(one, one.file.schema?.endpoint)) {
      go(one, 'age');
      continue;
    }
    bytes += one.bytes;
    if (bytes > maxBytes) go(one, 'size');
    else oldest = Math.min(oldest, one.file.hour);
  }
  // Of a log that has outcomes alone, nothing tells what they are of.
  const isAlone = oldest === Infinity;
  let left = outcomes.reduce((sum, one) => sum + one.bytes, 0);
  for (const one of outcomes.toReversed()) {
    if (isAlone ? isOld(one, undefined) : one.file.hour + MICROS_PER_HOUR <= oldest)
      go(one, isAlone ? 'age' : 'unneeded');
    else if (isAlone && left > maxBytes) go(one, 'size');
    else continue;
    left -= one.bytes;
  }
  return going;
}

type Sized = Pick<Going, 'file' | 'bytes'>;

/** When its first record may have been made; a clock that was set back may be told by an hour more. */
const startOf = (segment: string): Micros => Number.parseInt(segment, 10) - MICROS_PER_HOUR;

/** Gives the number of files that went. */
export async function deleteOldest(
  directory: string,
  keep: KeepRules,
  nowMicros: Micros,
  maxBytes: number,
): Promise<number> {
  const going = await listGoing(directory, keep, nowMicros, maxBytes);
  for (const { file } of going) await rm(file.path, { force: true });
  return going.length;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

export async function removeLeftovers(directory: string, olderThan: Micros): Promise<void> {
  const folder = temporaryFolder(directory);
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < olderThan / 1000) await rm(path, { recursive: true, force: true });
  }
  const segments = (await listWriters(directory)).flatMap((writer) => writer.segments);
  await removeStaleDecoded(directory, new Set(segments.map((segment) => segment.name)), olderThan);
}
