// Whether a set's rows are those of its spine: the spine's files are read again, cell by cell, by the rules of a push.

import type { DuckDBConnection } from '@duckdb/node-api';
import {
  absentValueOf,
  contentHash,
  type ErrorDetail,
  type Field,
  HeadraceError,
  INVALID,
  type Row,
  toJson,
  type Value,
} from '../../core/index.ts';
import { quoteText } from '../../storage/index.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { hashFiles, identityOf } from '../sources/file-identity.ts';
import { pinPath } from '../sources/pin-path.ts';
import { type PinnedSnapshot, readPinned } from '../sources/pinned-snapshot.ts';
import type { TrainingSetRecord } from '../training-sets/record.ts';
import { rawColumn } from './raw-files.ts';
import { readCell } from './read-cell.ts';
import type { Sample } from './read-sample.ts';
import { sameValue } from './same-value.ts';

export interface SpineCheck {
  /** Times, keys and request columns of the set that differ from its spine, in the sampled rows. */
  readonly mistakes: readonly ErrorDetail[];
  /** Why the set could not be compared with its spine; null where it was. */
  readonly skipped: string | null;
}

/**
 * Compares the sample, whose rows have the `numbers` in the set, with the spine's files. They are looked for at `directory`, then
 * at the feature repository: a pipeline's spine starts there. Files count only with the content that the set was made from.
 */
export async function checkSpine(
  connection: DuckDBConnection,
  deps: OfflineDeps,
  record: TrainingSetRecord,
  directory: string,
  plan: TrainingSetPlan,
  sample: Sample,
  numbers: readonly number[],
): Promise<SpineCheck> {
  const skip = (why: string): SpineCheck => ({
    mistakes: [],
    skipped: `${why}, so the set's times, keys and request columns were not compared with it`,
  });
  const { spine } = record;
  if (/^\s*(SELECT|FROM|WITH)\s/i.test(spine)) return skip('the spine was a query');
  const pinned =
    (await pinSpine(deps, record, directory)) ?? (await pinSpine(deps, record, deps.definitions.directory));
  if (pinned === undefined) return skip(`no files at ${spine} have the content of the spine that the set was made for`);
  try {
    const compare = () => compareSpine(connection, pinned, plan, sample, numbers);
    return { mistakes: await readPinned([pinned], `the spine ${spine} cannot be read`, compare), skipped: null };
  } finally {
    await pinned.close();
  }
}

/** Undefined where no files are at that place, or others, or none that can be read. */
async function pinSpine(
  deps: OfflineDeps,
  { spine, spineHash }: TrainingSetRecord,
  directory: string,
): Promise<PinnedSnapshot | undefined> {
  const place = { path: spine, directory, format: 'parquet', owner: 'the spine', isHeld: false } as const;
  let pinned: PinnedSnapshot | undefined;
  try {
    pinned = await pinPath(place, deps);
    if (contentHash((await hashFiles(pinned)).map(identityOf)) === spineHash) return pinned;
  } catch (error) {
    if (!isUnreadable(error)) {
      await pinned?.close();
      throw error;
    }
  }
  await pinned?.close();
  return undefined;
}

/** What pinPath throws where nothing is at a place, and what the file system says of a file that went away. */
function isUnreadable(error: unknown): boolean {
  if (error instanceof HeadraceError)
    return error.code === 'HR_SOURCE_UNREADABLE' || error.code === 'HR_SOURCE_CHANGED';
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

async function compareSpine(
  connection: DuckDBConnection,
  { paths }: PinnedSnapshot,
  plan: TrainingSetPlan,
  { requests, times }: Sample,
  numbers: readonly number[],
): Promise<ErrorDetail[]> {
  const list = `[${paths.map(quoteText).join(', ')}]`;
  const isText = paths.every((path) => /\.(csv|tsv)(\.gz|\.zst)?$/i.test(path));
  const from = isText
    ? `read_csv(${list}, header = true, all_varchar = true)`
    : `read_parquet(${list}, union_by_name = true)`;
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
  const types = new Map(described.getRows().map(([name, type]) => [String(name).toLowerCase(), String(type)]));
  const at: Field = { name: plan.timestamp, type: { kind: 'timestamp' } };
  const columns = [at, ...plan.spineColumns].filter(({ name }) => types.has(name.toLowerCase()));
  const selected = columns.map(({ name, type }) => rawColumn(name, types.get(name.toLowerCase()) ?? '', type));
  // A null of a column with a default is that default, as in the sample.
  const absent = columns.map((column) => (column === at ? undefined : absentValueOf(column)));
  const places = new Map(numbers.map((number, i) => [number, i]));
  const mistakes: ErrorDetail[] = [];
  let before = 0;
  for await (const chunk of readAhead(await connection.stream(`SELECT ${selected.join(', ')} FROM ${from}`))) {
    for (let row = 0; row < chunk.rowCount; row++) {
      const place = places.get(before + row);
      if (place === undefined) continue;
      const asked: Row = { ...requests[place], [at.name]: times[place] ?? null };
      columns.forEach(({ name, type }, i) => {
        const raw = chunk.getColumnVector(i).getItem(row);
        const value = readCell(type, raw, types.get(name.toLowerCase()) ?? '');
        const wanted = value === null ? (absent[i]?.() ?? null) : value;
        if (wanted === INVALID || !sameValue(wanted, asked[name] ?? null))
          mistakes.push({
            path: `row ${before + row}, ${name}`,
            message: `got ${shown(type, asked[name] ?? null)}, and the spine has ${JSON.stringify(String(raw).slice(0, 100))}`,
          });
      });
    }
    before += chunk.rowCount;
  }
  return mistakes;
}

function shown(type: Field['type'], value: Value): string {
  return JSON.stringify(toJson(type, value, 'text'));
}
