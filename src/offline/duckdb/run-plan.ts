// Runs a plan over a loaded spine: every read, then one query that puts the features beside the spine's columns, with
// on-demand views computed in it.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Field, Progress } from '../../core/index.ts';
import { type Definitions, functionOf, type ServiceTransform } from '../../definitions/index.ts';
import { type DuckDb, quoteName } from '../../storage/index.ts';
import type { TrainingSetPlan } from '../plan.ts';
import type { FactsRelation } from '../facts/facts.ts';
import { queryWork } from '../sources/source-errors.ts';
import { duckType } from '../sources/sql-text.ts';
import { SPINE_TABLE, type Spine } from '../training-sets/load-spine.ts';
import { type ReadResult, runRead } from './run-read.ts';
import { registerTransform } from './user-functions.ts';

export interface RunDeps {
  readonly definitions: Definitions;
  readonly progress: Progress;
  readonly duckdb: DuckDb;
  /** A last column of that name: why an on-demand view failed on the row, else null. Left out: it fails the query. */
  readonly errorColumn?: string;
}

/** Gives the training set's SQL: the spine's columns, then the features, in the spine's order. */
export async function runPlan(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  spine: Spine,
  sources: ReadonlyMap<string, FactsRelation>,
  deps: RunDeps,
): Promise<string> {
  const reads: ReadResult[] = [];
  const isOnly = plan.reads.length === 1;
  for (const [index, read] of plan.reads.entries()) {
    deps.progress.start(`view ${read.view.name}`, spine.rows, 'rows');
    const scanned = sources.get(read.view.source) as FactsRelation;
    const result = await queryWork(`source "${read.view.source}" cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
      runRead(deps.duckdb, connection, index, read, scanned, SPINE_TABLE, spine.sql, isOnly),
    );
    reads.push(result);
    deps.progress.done();
  }
  return assemble(connection, plan, spine, reads, deps);
}

// Layers of one subquery each: spine and reads; each on-demand view's STRUCT, computed once; the columns asked for.
function assemble(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  spine: Spine,
  reads: readonly ReadResult[],
  { definitions, errorColumn }: RunDeps,
): string {
  const readColumns = reads.flatMap(({ features }, read) =>
    [...features].map(([feature, sql]) => `${sql} AS ${readColumn(read, feature)}`),
  );
  const joins = reads.flatMap((read) => read.joins);
  let relation = `(SELECT ${['s.*', ...readColumns].join(', ')} FROM ${SPINE_TABLE} s ${joins.join(' ')})`;
  plan.transforms.forEach((transform, index) => {
    const userFunction = functionOf(definitions, transform.view.transform);
    const inputs = transform.inputs.map((input) => inputColumns(plan, spine, input));
    const name = registerTransform(
      connection,
      transform,
      inputs.map(({ fields }) => fields),
      userFunction,
      errorColumn,
    );
    relation = `(SELECT *, ${name}(${inputs.flatMap(({ sql }) => sql).join(', ')}) AS __hr_transform_${index} FROM ${relation})`;
  });
  const features = plan.features.map(({ name, type, from }) => {
    const sql =
      from.kind === 'read'
        ? readColumn(from.read, from.feature)
        : transformField(from.transform, plan.transforms[from.transform]?.view.features[from.feature] as Field);
    return `CAST(${sql} AS ${duckType(type)}) AS ${quoteName(name)}`;
  });
  const columns = [...spine.columns.map(({ name }) => quoteName(name)), ...features];
  if (errorColumn !== undefined) {
    // The first that failed: those after it had its nulls.
    const errors = plan.transforms.map((_, index) => transformField(index, { name: errorColumn }));
    columns.push(`coalesce(${[...errors, 'NULL::VARCHAR'].join(', ')}) AS ${quoteName(errorColumn)}`);
  }
  return `SELECT ${columns.join(', ')} FROM ${relation} ORDER BY __hr_spine`;
}

function inputColumns(
  plan: TrainingSetPlan,
  spine: Spine,
  input: ServiceTransform['inputs'][number],
): { fields: readonly Field[]; sql: string[] } {
  switch (input.kind) {
    case 'request': {
      const sql = input.columns.map(({ name, type }) => `CAST(${spine.sql.get(name)} AS ${duckType(type)})`);
      return { fields: input.columns, sql };
    }
    case 'read': {
      const fields = plan.reads[input.read]?.view.features ?? [];
      return { fields, sql: fields.map(({ type }, i) => `CAST(${readColumn(input.read, i)} AS ${duckType(type)})`) };
    }
    case 'onDemand': {
      const fields = plan.transforms[input.transform]?.view.features ?? [];
      return { fields, sql: fields.map((field) => transformField(input.transform, field)) };
    }
  }
}

const readColumn = (read: number, feature: number): string => `__hr_read_${read}_${feature}`;

const transformField = (transform: number, { name }: Pick<Field, 'name'>): string =>
  `__hr_transform_${transform}.${quoteName(name)}`;
