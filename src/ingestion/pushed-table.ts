// How many rows each source was ever sent and keeps, by the writer that took them: what follows pushes, as a scheduler does,
// goes by these numbers. They only grow, and outlive the log: what retention takes away was pushed all the same.

import type { Kysely } from 'kysely';
import type { Database, Migration } from '../storage/index.ts';

/** Of one source in one writer's log: entries before the offset `through` are decided, and hold that many rows that count. */
export interface PushedPart {
  readonly through: number;
  readonly rows: number;
}

export interface PushedTable {
  /** Rows of a source that were ever taken, of all writers. Those of the last seconds may not be told yet. */
  rows(source: string): Promise<number>;
  /** By source, what is told of a writer. */
  ofWriter(writer: number): Promise<ReadonlyMap<string, PushedPart>>;
  /** What reaches further counts, whoever tells it, and however often: a log's decided entries never change. */
  tell(writer: number, parts: ReadonlyMap<string, PushedPart>): Promise<void>;
  /** What was told of a writer is of another number from now on, where nothing was told of that yet. */
  move(from: number, to: number): Promise<void>;
}

interface PushedTables {
  pushed_rows: { source: string; writer: number; through: number; rows: number };
}

const MIGRATIONS: readonly Migration[] = [{ name: '0001-pushed', up: createTable }];

/** Opens the table, made where it is not there yet. */
export async function openPushedTable(opened: Database): Promise<PushedTable> {
  const database = await opened.migrate('pushed', MIGRATIONS);
  const db = (): Kysely<PushedTables> => database.tables<PushedTables>();
  return {
    async rows(source) {
      const { rows } = await db()
        .selectFrom('pushed_rows')
        .select((select) => select.fn.sum<number | string | null>('rows').as('rows'))
        .where('source', '=', source)
        .executeTakeFirstOrThrow();
      return Number(rows ?? 0);
    },
    async ofWriter(writer) {
      const rows = await db().selectFrom('pushed_rows').selectAll().where('writer', '=', writer).execute();
      return new Map(rows.map(({ source, through, rows: count }) => [source, { through, rows: count }]));
    },
    async tell(writer, parts) {
      if (parts.size === 0) return;
      await db()
        .insertInto('pushed_rows')
        .values([...parts].map(([source, part]) => ({ source, writer, ...part })))
        .onConflict((conflict) =>
          conflict
            .columns(['source', 'writer'])
            .doUpdateSet(({ ref }) => ({ through: ref('excluded.through'), rows: ref('excluded.rows') }))
            .whereRef('pushed_rows.through', '<', 'excluded.through'),
        )
        .execute();
    },
    async move(from, to) {
      const told = db().selectFrom('pushed_rows').select('source').where('writer', '=', to);
      await db()
        .updateTable('pushed_rows')
        .set({ writer: to })
        .where('writer', '=', from)
        .where((where) => where.not(where.exists(told)))
        .execute();
    },
  };
}

async function createTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('pushed_rows')
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('writer', 'bigint', (column) => column.notNull())
    .addColumn('through', 'bigint', (column) => column.notNull())
    .addColumn('rows', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('pushed_rows_key', ['source', 'writer'])
    .execute();
}
