// Segments of before records were binary: lines of JSON. They are read, and become Parquet, as they always did; who wrote
// one can't be told, so it counts as ended when its file is older than its hour can be.

import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MICROS_PER_HOUR, MICROS_PER_MINUTE } from '../../core/index.ts';
import { columnsSql, ROUTE_NAMES, sqlList } from './log-columns.ts';
import { namesIn, type RecordKind, segmentsFolder } from './segments.ts';

export interface LegacySegment {
  readonly name: string;
  readonly path: string;
}

/** What they hold. */
export type LegacyKind = Exclude<RecordKind, 'unit_outcomes'>;

const COLUMNS: Readonly<Record<LegacyKind, Readonly<Record<string, string>>>> = {
  predictions: {
    prediction_id: 'VARCHAR',
    request_id: 'VARCHAR',
    trace_id: 'VARCHAR',
    predicted_micros: 'BIGINT',
    latency_micros: 'BIGINT',
    endpoint: 'VARCHAR',
    model: 'VARCHAR',
    version: 'INTEGER',
    variant: 'VARCHAR',
    unit: 'VARCHAR[]',
    request: 'JSON',
    features: 'JSON',
    statuses: 'JSON',
    outputs: 'JSON',
  },
  outcomes: {
    prediction_id: 'VARCHAR',
    endpoint: 'VARCHAR',
    outcome: 'JSON',
    observed_micros: 'BIGINT',
    recorded_micros: 'BIGINT',
  },
};

/** What these had not. */
export const LEGACY_MISSING: readonly string[] = ['arm', 'altered', ...ROUTE_NAMES];

/** Oldest first. */
export async function listLegacySegments(directory: string, kind: LegacyKind): Promise<LegacySegment[]> {
  const folder = join(segmentsFolder(directory), kind);
  const files = (await namesIn(folder)).filter((name) => name.endsWith('.ndjson')).sort();
  return files.map((file) => ({ name: basename(file, '.ndjson'), path: join(folder, file) }));
}

/** SQL of their records, as a reader sees them. A last line that a crash tore is left out. */
export function legacySql(kind: LegacyKind, paths: readonly string[]): string {
  const types = Object.entries(COLUMNS[kind]).map(([name, type]) => `${name}: '${type}'`);
  const times = Object.keys(COLUMNS[kind]).flatMap((name) => {
    const [, start] = /^(.*)_micros$/.exec(name) ?? [];
    if (start === undefined || start === 'latency') return [];
    return [`make_timestamp(${name}) AT TIME ZONE 'UTC' AS ${start}_at`];
  });
  // A torn line comes as a row of nulls.
  const read = `(SELECT *, ${times.join(', ')} FROM read_json(${sqlList(paths)}, format = 'newline_delimited', \
ignore_errors = true, columns = {${types.join(', ')}}) WHERE prediction_id IS NOT NULL)`;
  return columnsSql(kind, read, LEGACY_MISSING);
}

const LONGEST_MS = (MICROS_PER_HOUR + 10 * MICROS_PER_MINUTE) / 1000;

/** `nowMs`: the file system's. */
export async function isLegacyEnded({ path }: LegacySegment, nowMs: number): Promise<boolean> {
  return stat(path).then(
    ({ mtimeMs }) => nowMs - mtimeMs >= LONGEST_MS,
    () => false,
  );
}

/** Lines that end, each with its place. */
export async function linesOf(path: string): Promise<{ readonly from: number; readonly line: Buffer }[]> {
  const bytes = await readFile(path);
  const lines = [];
  for (let from = 0, end: number; (end = bytes.indexOf(0x0a, from)) >= 0; from = end + 1) {
    lines.push({ from, line: bytes.subarray(from, end) });
  }
  return lines;
}
