// A batch's rows with their features, each as it could be known at the row's time, in one Parquet file: what a training set
// of the same rows holds, by the same code, from one snapshot of the sources.

import { rename, rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, syncPath } from '../../core/index.ts';
import type { ServiceFeature } from '../../definitions/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import { checkSources } from '../checks/check-sources.ts';
import { runPlan } from '../duckdb/run-plan.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { type Boundary, planTrainingSet, type TrainingSetPlan } from '../plan.ts';
import { openFileHashes } from '../sources/file-hashes.ts';
import { fileHash, type SourceFile } from '../sources/file-identity.ts';
import { readPinned } from '../sources/pinned-snapshot.ts';
import { spineTimes } from '../training-sets/load-spine.ts';
import { openPlanFacts, type PlanFacts } from '../training-sets/source-facts.ts';
import { BAD_ROW_ADVICE, ERROR_COLUMN } from './error-column.ts';
import { BAD_TABLE, firstBadRow, type Input, type InputPlace, loadInput } from './load-input.ts';

export interface FeatureFileRequest {
  /** Of `deps.definitions`. */
  readonly service: string;
  readonly input: InputPlace;
  /** The input's time column. */
  readonly timestamp: string;
  /** Whether facts of the very time of a row count. */
  readonly boundary: Boundary;
  /** `mark`: rows that can't be predicted have no features, and in ERROR_COLUMN the reason; `fail`: one fails all. */
  readonly badRows: 'fail' | 'mark';
  readonly out: string;
  /** Looks at the input's columns before anything is computed; what it throws is thrown. */
  readonly check: (columns: readonly string[]) => void;
}

export interface FeatureFile {
  readonly rows: number;
  /** The input's, with DuckDB's types. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** The columns after the input's. */
  readonly features: readonly ServiceFeature[];
  /** What was read. */
  readonly inputs: readonly SourceFile[];
  /** Of the file, which is the same for the same input and facts. */
  readonly sha256: string;
}

/**
 * Writes the file whole or not at all, on the disk for good: the input's columns, the features, and with `mark`
 * ERROR_COLUMN, in the input's order. Errors as `createTrainingSet`.
 */
export async function writeFeatureFile(deps: OfflineDeps, request: FeatureFileRequest): Promise<FeatureFile> {
  const { service, timestamp, boundary, badRows, out } = request;
  const plan = planTrainingSet(deps.definitions.manifest, { service, timestamp, labels: [], boundary });
  const connection = await deps.duckdb.connect();
  let sources: PlanFacts | undefined;
  const unfinished = `${out}.unfinished`;
  try {
    deps.progress.start('read the input');
    const hashes = openFileHashes(deps.dataDirectory, deps.clock);
    const input = await loadInput(connection, request.input, plan, deps, hashes);
    await hashes.save();
    request.check(input.columns.map(({ name }) => name));
    const bad = badRows === 'fail' ? await firstBadRow(connection) : undefined;
    if (bad !== undefined) throw bad;
    deps.progress.done(`${input.total} rows${input.bad === 0 ? '' : `, ${input.bad} of them bad`}`);
    sources = await openPlanFacts(connection, plan, await spineTimes(connection), deps);
    const { bySource, snapshots } = sources;
    await checkSources(connection, deps, bySource, snapshots, 'nothing is predicted');
    const facts = new Map([...bySource].map(([name, source]) => [name, source.facts]));
    await readPinned(snapshots, 'the features cannot be computed', async () => {
      const sql = await rowsSql(connection, plan, input, facts, deps, badRows === 'mark');
      deps.progress.start('write the features', input.total, 'rows');
      await connection.run(`COPY (${sql}) TO ${quoteText(unfinished)} (FORMAT parquet, COMPRESSION zstd)`);
      deps.progress.done(`${input.total} rows`);
    });
    const sha256 = await fileHash(unfinished);
    await syncPath(unfinished);
    await rename(unfinished, out);
    return { rows: input.total, columns: input.columns, features: plan.features, inputs: input.files, sha256 };
  } catch (thrown) {
    if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_TRANSFORM_FAILED' || badRows === 'mark') throw thrown;
    throw new HeadraceError(thrown.code, `${thrown.message.replace(/\.$/, '')}. ${BAD_ROW_ADVICE}`, { cause: thrown });
  } finally {
    await rm(unfinished, { force: true });
    await sources?.close();
    connection.closeSync();
  }
}

async function rowsSql(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  input: Input,
  facts: Parameters<typeof runPlan>[3],
  deps: OfflineDeps,
  marks: boolean,
): Promise<string> {
  if (!marks) return runPlan(connection, plan, input, facts, deps);
  // With their numbers, by which those that were set apart go back to their places.
  const columns = [...input.columns, { name: '__hr_spine', type: 'BIGINT' }];
  const good = await runPlan(connection, plan, { ...input, columns }, facts, { ...deps, errorColumn: ERROR_COLUMN });
  const all = [...input.columns, ...plan.features, { name: ERROR_COLUMN }].map(({ name }) => quoteName(name));
  const rows = input.bad === 0 ? `(${good})` : `(SELECT * FROM (${good}) UNION ALL BY NAME SELECT * FROM ${BAD_TABLE})`;
  return `SELECT ${all.join(', ')} FROM ${rows} ORDER BY __hr_spine`;
}
