// The sampled rows of a training set's file: what was asked, when, and what it answered.

import type { DuckDBConnection } from '@duckdb/node-api';
import {
  absentValueOf,
  type Field,
  HeadraceError,
  INVALID,
  type Micros,
  type Row,
  type Value,
} from '../../core/index.ts';
import { quoteText } from '../../storage/index.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { queryWork } from '../sources/source-errors.ts';
import type { TrainingSetRecord } from '../training-sets/record.ts';
import { rawColumn } from './raw-files.ts';
import { readCell } from './read-cell.ts';

export interface Sample {
  readonly requests: readonly Row[];
  readonly times: readonly (Micros | null)[];
  /** Per row, the features in the plan's order. */
  readonly features: readonly (readonly Value[])[];
}

export async function readSample(
  connection: DuckDBConnection,
  record: TrainingSetRecord,
  plan: TrainingSetPlan,
  rows: readonly number[],
): Promise<Sample> {
  const from = `read_parquet(${quoteText(record.path)})`;
  const read = (sql: string) =>
    queryWork(`the training set's file ${record.path} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
      connection.runAndReadAll(sql),
    );
  const described = await read(`DESCRIBE SELECT * FROM ${from}`);
  const types = new Map(described.getRows().map(([name, type]) => [String(name).toLowerCase(), String(type)]));
  const at: Field = { name: plan.timestamp, type: { kind: 'timestamp' } };
  const columns: Field[] = [at, ...plan.spineColumns, ...plan.features];
  const selected = columns.map(({ name, type }) => {
    const from = types.get(name.toLowerCase());
    if (from !== undefined) return rawColumn(name, from, type);
    throw lacksColumn(record, name);
  });
  // The file is in the spine's order, so a row's number is its place.
  const numbers = rows.length === 0 ? 'NULL' : rows.join(', ');
  const found = await read(
    `SELECT ${selected.join(', ')} FROM (SELECT *, row_number() OVER () - 1 AS __hr_row FROM ${from}) WHERE __hr_row IN (${numbers}) ORDER BY __hr_row`,
  );
  const values = found.getRows().map((row) =>
    columns.map(({ name, type }, i): Value => {
      // Where a set has a time that no value can be, its source has it, too, and is found.
      const value = readCell(type, row[i] ?? null, types.get(name.toLowerCase()) ?? '', 'null');
      if (value === INVALID) throw lacksColumn(record, name);
      return value;
    }),
  );
  const first = 1 + plan.spineColumns.length;
  // The file has the spine's own values: what stands for an absent one is not among them.
  const absent = plan.spineColumns.map(absentValueOf);
  return {
    requests: values.map((row) =>
      Object.fromEntries(plan.spineColumns.map(({ name }, i) => [name, row[i + 1] ?? absent[i]?.() ?? null])),
    ),
    times: values.map((row) => row[0] as Micros | null),
    features: values.map((row) => row.slice(first)),
  };
}

function lacksColumn({ id, path }: TrainingSetRecord, name: string): HeadraceError {
  return new HeadraceError(
    'HR_AUDIT_FAILED',
    `training set ${id}: ${path} has no column "${name}" of the service's type.`,
  );
}
