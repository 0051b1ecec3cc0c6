// Descriptions of row schemas in the registry's database, so that rows of an older schema can be read by column name.

import type { Database, Migration } from '../../storage/index.ts';
import { describeSchema, parseSchema, type RowSchema } from './row-schema.ts';

export interface RowSchemas {
  /** Makes sure that the description is there before a row under it is written. */
  publish(schemas: readonly RowSchema[]): Promise<void>;
  all(): Promise<readonly RowSchema[]>;
  find(fingerprint: string): Promise<RowSchema | undefined>;
}

interface Tables {
  online_row_schemas: { fingerprint: string; description: string };
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '002-row-schemas',
    async up(db) {
      await db.schema
        .createTable('online_row_schemas')
        .addColumn('fingerprint', 'text', (column) => column.primaryKey())
        .addColumn('description', 'text', (column) => column.notNull())
        .execute();
    },
  },
];

export async function openRowSchemas(opened: Database): Promise<RowSchemas> {
  const database = await opened.migrate('online', MIGRATIONS);
  const published = new Set<string>();
  const rows = () => database.tables<Tables>().selectFrom('online_row_schemas').selectAll();
  return {
    async publish(schemas) {
      const fresh = schemas.filter(({ fingerprint }) => !published.has(fingerprint));
      if (fresh.length === 0) return;
      await database
        .tables<Tables>()
        .insertInto('online_row_schemas')
        .values(fresh.map((schema) => ({ fingerprint: schema.fingerprint, description: describeSchema(schema) })))
        .onConflict((conflict) => conflict.column('fingerprint').doNothing())
        .execute();
      for (const { fingerprint } of fresh) published.add(fingerprint);
    },
    async all() {
      const found = await rows().execute();
      return found.flatMap(({ fingerprint, description }) => parseSchema(fingerprint, description) ?? []);
    },
    async find(fingerprint) {
      const found = await rows().where('fingerprint', '=', fingerprint).executeTakeFirst();
      return found === undefined ? undefined : parseSchema(fingerprint, found.description);
    },
  };
}
