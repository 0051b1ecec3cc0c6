// The registry's rows of writers. What a holder tells is taken only while it is the holder: one that was forgotten, or
// whose log another holds by now, learns so from the row that it can't change.

import type { Kysely, Selectable } from 'kysely';
import { HeadraceError, type Micros } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { WriterRow } from '../event-log.ts';
import type { EventTables } from './schema.ts';

export interface WriterTable {
  /** Gives the next number; `also` is done in the same transaction, which no other registration goes beside. */
  register(token: string, machine: string, atMicros: Micros, also?: AlsoRegister): Promise<WriterRow>;
  all(): Promise<WriterRow[]>;
  /** Throws HR_UNKNOWN_WRITER. */
  find(number: number): Promise<WriterRow>;
  /** Undefined when it is forgotten, or its holder is not `from` any more, where that is given. */
  raiseHolder(number: number, from?: number, trx?: Kysely<EventTables>): Promise<WriterRow | undefined>;
  /** False when the holder is no longer that, or the writer is forgotten. */
  tell(number: number, holder: number, news: WriterNews): Promise<boolean>;
  forget(number: number): Promise<void>;
}

export type AlsoRegister = (trx: Kysely<EventTables>, row: WriterRow) => Promise<void>;

export interface WriterNews {
  readonly seenMicros: Micros;
  readonly cut: number;
  readonly shipped: number;
  readonly state?: 'ended';
}

export function openWriterTable(database: Database): WriterTable {
  const db = database.tables<EventTables>();

  const find = async (number: number): Promise<WriterRow> => {
    const row = await db.selectFrom('event_writers').selectAll().where('number', '=', number).executeTakeFirst();
    if (row !== undefined) return toWriterRow(row);
    const sentence = `the registry has no writer ${number}; headrace log list shows those it has`;
    throw new HeadraceError('HR_UNKNOWN_WRITER', sentence);
  };

  return {
    register: (token, machine, atMicros, also) =>
      database.transaction<EventTables, WriterRow>(
        async (trx) => {
          const { last } = await trx
            .selectFrom('event_writers')
            .select((select) => select.fn.max('number').as('last'))
            .executeTakeFirstOrThrow();
          const row = {
            number: (last ?? 0) + 1,
            token,
            machine,
            state: 'open' as const,
            holder: 1,
            cut: 0,
            shipped: 0,
            removed: 0,
            registered_micros: atMicros,
            seen_micros: atMicros,
          };
          await trx.insertInto('event_writers').values(row).execute();
          const registered = toWriterRow(row);
          await also?.(trx, registered);
          return registered;
        },
        { serializedBy: 'event_writers' },
      ),
    async all() {
      const rows = await db.selectFrom('event_writers').selectAll().orderBy('number').execute();
      return rows.map(toWriterRow);
    },
    find,
    async raiseHolder(number, from, trx = db) {
      const row = await trx
        .updateTable('event_writers')
        .set((set) => ({ holder: set('holder', '+', 1) }))
        .where('number', '=', number)
        .where('state', '!=', 'forgotten')
        .$if(from !== undefined, (query) => query.where('holder', '=', from as number))
        .returningAll()
        .executeTakeFirst();
      return row && toWriterRow(row);
    },
    async tell(number, holder, { seenMicros, cut, shipped, state }) {
      const { numUpdatedRows } = await db
        .updateTable('event_writers')
        .set({ seen_micros: seenMicros, cut, shipped, ...(state === undefined ? {} : { state }) })
        .where('number', '=', number)
        .where('holder', '=', holder)
        .where('state', '!=', 'forgotten')
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async forget(number) {
      await find(number);
      await db
        .updateTable('event_writers')
        .set({ state: 'forgotten' })
        .where('number', '=', number)
        .where('state', '=', 'open')
        .execute();
    },
  };
}

/** By writer, the last cut that every machine can read, of the state that `db` shows. */
export async function shippedCuts(opened: Kysely<unknown>): Promise<ReadonlyMap<number, number>> {
  // The log's own tables are in it.
  const db = opened as Kysely<EventTables>;
  const rows = await db.selectFrom('event_writers').select(['number', 'shipped']).execute();
  return new Map(rows.map(({ number, shipped }) => [number, shipped]));
}

function toWriterRow(row: Selectable<EventTables['event_writers']>): WriterRow {
  const { registered_micros: registeredMicros, seen_micros: seenMicros, ...same } = row;
  return { ...same, registeredMicros, seenMicros };
}
