// The tables of experiments: the phases that ran, by which seed and weights, and the reports that were made of them.

import type { Kysely } from 'kysely';
import { parseJson } from '../../../core/index.ts';
import type { Database, Migration, RowsOwner } from '../../../storage/index.ts';

export interface ExperimentTables {
  experiment_phases: {
    name: string;
    /** From 1 on. */
    phase: number;
    /** `starting` until every endpoint was asked, `failed` where one refused. Of one experiment at most one is not ended. */
    state: 'starting' | 'running' | 'ended' | 'failed';
    /** JSON: what runs, but for the versions, by endpoint. */
    live: string;
    /** JSON: the definition as it was then. */
    spec: string;
    started_at: number;
    ended_at: number | null;
    actor: string;
    reason: string | null;
    ended_by: string | null;
    end_reason: string | null;
  };
  experiment_reports: {
    name: string;
    /** `all` or a number. */
    phase: string;
    snapshot: string;
    made_at: number;
    /** What the report came to: lists need no report for it. */
    decision: string;
    /** JSON. */
    report: string;
  };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-experiments',
    async up(db) {
      await db.schema
        .createTable('experiment_phases')
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('phase', 'integer', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('live', 'text', (column) => column.notNull())
        .addColumn('spec', 'text', (column) => column.notNull())
        .addColumn('started_at', 'bigint', (column) => column.notNull())
        .addColumn('ended_at', 'bigint')
        .addColumn('actor', 'text', (column) => column.notNull())
        .addColumn('reason', 'text')
        .addColumn('ended_by', 'text')
        .addColumn('end_reason', 'text')
        .addPrimaryKeyConstraint('experiment_phases_key', ['name', 'phase'])
        .execute();
      await db.schema
        .createTable('experiment_reports')
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('phase', 'text', (column) => column.notNull())
        .addColumn('snapshot', 'text', (column) => column.notNull())
        .addColumn('made_at', 'bigint', (column) => column.notNull())
        .addColumn('report', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('experiment_reports_key', ['name', 'phase', 'snapshot'])
        .execute();
    },
  },
  {
    name: '002-report-decisions',
    async up(db) {
      await db.schema
        .alterTable('experiment_reports')
        .addColumn('decision', 'text', (column) => column.notNull().defaultTo(''))
        .execute();
      const tables = db as Kysely<ExperimentTables>;
      const keys = await tables.selectFrom('experiment_reports').select(['name', 'phase', 'snapshot']).execute();
      for (const { name, phase, snapshot } of keys) {
        // One at a time: each may be large.
        const key = { name, phase, snapshot };
        const { report } = await tables
          .selectFrom('experiment_reports')
          .select('report')
          .where((row) => row.and(key))
          .executeTakeFirstOrThrow();
        // Written from a report.
        const { decision } = parseJson(report) as { readonly decision: string };
        await tables
          .updateTable('experiment_reports')
          .set({ decision })
          .where((row) => row.and(key))
          .execute();
      }
    },
  },
];

/** Gives the database that has the tables. */
export function migrateExperiments(database: Database): Promise<Database> {
  return database.migrate('experiments', MIGRATIONS);
}

/** Of one experiment's phases and reports nothing else is needed: definitions are kept in the rows. */
export const experimentRows: RowsOwner = { table: 'experiment_phases' };
