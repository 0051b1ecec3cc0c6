// How the log stands, from its files alone: what waits to become Parquet, what is Parquet, and what could not be read.

import { stat } from 'node:fs/promises';
import { type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import { countDamaged, type DamagedParts } from './damaged.ts';
import { listLegacySegments } from './legacy-segments.ts';
import { damagedFolder, listOutcomes, listParquet, listWriters, type ParquetFile } from './segments.ts';

export interface FileCount {
  readonly files: number;
  readonly bytes: number;
}

export interface ParquetCount extends FileCount {
  /** Of the oldest hour its begin, of the newest its end; null without any. */
  readonly from: Micros | null;
  readonly to: Micros | null;
}

export interface PredictionLogStatus {
  readonly directory: string;
  /** That writers append to, or left without a word. */
  readonly open: FileCount;
  /** That become Parquet with the next compaction. */
  readonly ended: FileCount;
  readonly predictions: ParquetCount;
  /** Those told of units, too. */
  readonly outcomes: ParquetCount;
  readonly damaged: DamagedParts & { readonly folder: string };
}

/** Of a log that was never written it is all nothing. */
export async function predictionLogStatus(directory: string): Promise<PredictionLogStatus> {
  const segments = (await listWriters(directory)).flatMap((writer) => writer.segments);
  const legacy = [
    ...(await listLegacySegments(directory, 'predictions')),
    ...(await listLegacySegments(directory, 'outcomes')),
  ];
  return {
    directory,
    open: await count(segments.filter(({ isEnded }) => !isEnded)),
    ended: await count([...segments.filter(({ isEnded }) => isEnded), ...legacy]),
    predictions: await countParquet(await listParquet(directory, 'predictions')),
    outcomes: await countParquet(await listOutcomes(directory)),
    damaged: { ...(await countDamaged(directory)), folder: damagedFolder(directory) },
  };
}

async function countParquet(files: readonly ParquetFile[]): Promise<ParquetCount> {
  const last = files.at(-1);
  return {
    ...(await count(files)),
    from: files[0]?.hour ?? null,
    to: last === undefined ? null : last.hour + MICROS_PER_HOUR,
  };
}

async function count(files: readonly { readonly path: string }[]): Promise<FileCount> {
  const sizes = await Promise.all(
    files.map(({ path }) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return { files: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
