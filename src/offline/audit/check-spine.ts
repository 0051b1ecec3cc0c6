// Whether a set's rows are those of its spine: the spine's files are read again, cell by cell, by the rules of a push.

import type { DuckDBConnection } from '@duckdb/node-api';
import {
  compareValues,
  contentHash,
  type ErrorDetail,
  type Field,
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
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import type { TrainingSetRecord } from '../training-sets/record.ts';
import { rawColumn } from './raw-files.ts';
import { readCell } from './read-cell.ts';
import type { Sample } from './read-sample.ts';

/**
 * What the set has otherwise than its spine, of the sample's rows `numbers`: its times and what was asked. Empty where the spine was
 * a query, or its files are no longer those that the set was made from.
 */
export async function checkSpine(
  connection: DuckDBConnection,
  deps: OfflineDeps,
  record: TrainingSetRecord,
  plan: TrainingSetPlan,
  sample: Sample,
  numbers: readonly number[],
): Promise<ErrorDetail[]> {
  const pinned = await pinSpine(deps, record);
  if (pinned === undefined) return [];
  try {
    return await compareSpine(connection, pinned, plan, sample, numbers);
  } finally {
    await pinned.close();
  }
}

async function pinSpine(
  deps: OfflineDeps,
  { spine, spineHash }: TrainingSetRecord,
): Promise<PinnedSnapshot | undefined> {
  if (/^\s*(SELECT|FROM|WITH)\s/i.test(spine)) return undefined;
  const { directory } = deps.definitions;
  const place = { path: spine, directory, format: 'parquet', owner: 'the spine', isHeld: false } as const;
  const pinned = await pinPath(place, deps).catch(() => undefined);
  if (pinned === undefined) return undefined;
  const files = await hashFiles(pinned).catch(() => []);
  if (contentHash(files.map(identityOf)) === spineHash) return pinned;
  await pinned.close();
  return undefined;
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
        const value = readCell(type, raw, 'refused');
        if (!isSame(value, asked[name] ?? null))
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

// What stands for an absent value is the set's own.
const isSame = (value: Value | typeof INVALID, asked: Value): boolean =>
  value !== INVALID && (value === null || (asked !== null && compareValues(value, asked) === 0));

function shown(type: Field['type'], value: Value): string {
  return JSON.stringify(toJson(type, value, 'text'));
}
