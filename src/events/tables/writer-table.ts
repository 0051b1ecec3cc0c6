// The registry's rows of writers. What a holder tells is taken only while it is the holder: one that was forgotten, or
// whose log another holds by now, learns so from the row that it can't change.

import { type Kysely, type RawBuilder, type Selectable, sql, type UpdateObject } from 'kysely';
import { HeadraceError, type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { SeenWriter, WriterRow } from '../event-log.ts';
import type { EventTables } from './schema.ts';

export interface WriterTable {
  /**
   * Gives the next number, which is greater than `seen.number` too. Numbers of its own that it skips get rows of lost writers.
   * Runs `also` in the same transaction; registrations run one after another. Where there is a row of the token, it gives that.
   */
  register(writer: NewWriter, seen?: SeenWriter, also?: AlsoRegister): Promise<WriterRow>;
  /**
   * Gives the writer the next number; a row of a lost writer stands for whoever has the one of before. False where another holds
   * its log, or something of it was shipped under its number.
   */
  renumber(writer: Omit<LogHolder, 'number'> & { readonly writer: number }, seen?: SeenWriter): Promise<boolean>;
  /** As `EventLog.noteLost`. */
  noteLost(seen: SeenWriter, atMicros: Micros): Promise<void>;
  /**
   * Adds a row that was lost, in place of the one that stands for it, and runs `also` in the same transaction; false where the
   * number has another row. The numbers just before it that have none get rows of lost writers.
   */
  restore(row: WriterRow, also: (trx: Kysely<EventTables>) => Promise<void>): Promise<boolean>;
  all(): Promise<WriterRow[]>;
  /** Throws HR_UNKNOWN_WRITER. */
  find(number: number): Promise<WriterRow>;
  /** Undefined when it is forgotten, or its holder is not `from` any more, where that is given. */
  raiseHolder(number: number, from?: number, trx?: Kysely<EventTables>): Promise<WriterRow | undefined>;
  /**
   * Makes this process the holder, with its folder at `place`. Undefined when the writer is forgotten, or its holder reported
   * or was replaced since the row was read: of several processes that try, one gets it.
   */
  take(seen: WriterRow, place: string | undefined): Promise<WriterRow | undefined>;
  /** Notes that the holder lives. False when the holder is no longer that, or the writer is forgotten. */
  touch(writer: LogHolder, atMicros: Micros, trx?: Kysely<EventTables>): Promise<boolean>;
  /** As `touch`, and notes where the log stands. */
  tell(writer: LogHolder, news: WriterNews): Promise<boolean>;
  forget(number: number): Promise<void>;
}

/** Who says that it holds a log: of two writers that were given one number, their tokens tell. */
export type LogHolder = Pick<WriterRow, 'number' | 'token' | 'holder'>;

export interface NewWriter {
  readonly token: string;
  readonly machine: string;
  readonly atMicros: Micros;
  /** Where its log lies, as the registry keeps it. */
  readonly place?: string | undefined;
}

export type AlsoRegister = (trx: Kysely<EventTables>, row: WriterRow) => Promise<void>;

export interface WriterNews {
  readonly seenMicros: Micros;
  readonly cut: number;
  readonly shipped: number;
  readonly logged: number;
  readonly state?: 'ended';
}

/** In a row that stands for a writer whose own row is lost. Tokens of writers are hexadecimal digits. */
const LOST_TOKEN = 'lost';
const LOST_MACHINE = '(its row was lost)';

/** Whether the registry lacks the writer's own row. One that was forgotten meanwhile does not come back. */
export function isLost({ token, state }: Pick<WriterRow, 'token' | 'state'>): boolean {
  return token === LOST_TOKEN && state === 'open';
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
    register: ({ token, machine, atMicros, place }, seen, also) =>
      database.transaction<EventTables, WriterRow>(
        async (trx) => {
          const known = await trx.selectFrom('event_writers').selectAll().where('token', '=', token).executeTakeFirst();
          if (known !== undefined) return toWriterRow(known);
          const { last: found } = await trx
            .selectFrom('event_writers')
            .select((select) => select.fn.max('number').as('last'))
            .executeTakeFirstOrThrow();
          const last = found ?? 0;
          if (seen !== undefined && seen.number > last) seen.onForgotten(last);
          const number = Math.max(last, seen?.number ?? 0) + 1;
          if (seen?.isOfOther !== true) await addLost(trx, number - 1, atMicros);
          const row = {
            number,
            token,
            machine,
            state: 'open' as const,
            holder: 1,
            cut: 0,
            shipped: 0,
            removed: 0,
            logged: 0,
            registered_micros: atMicros,
            seen_micros: atMicros,
            place: place ?? null,
          };
          await trx.insertInto('event_writers').values(row).execute();
          const registered = toWriterRow(row);
          await also?.(trx, registered);
          return registered;
        },
        { serializedBy: 'event_writers' },
      ),
    renumber: ({ writer, token, holder }, seen) =>
      database.transaction<EventTables, boolean>(
        async (trx) => {
          const { last } = await trx
            .selectFrom('event_writers')
            .select((select) => select.fn.max('number').as('last'))
            .executeTakeFirstOrThrow();
          const next = Math.max(last ?? 0, seen?.number ?? 0) + 1;
          // No run has counted anything of it: under another number it would count again.
          const shippedOf = trx.selectFrom('event_segments').select('seq').where('writer', '=', writer);
          const { numUpdatedRows } = await trx
            .updateTable('event_writers')
            .set({ number: next, cut: 0 })
            .where('number', '=', writer)
            .where('token', '=', token)
            .where('holder', '=', holder)
            .where('state', '=', 'open')
            .where((where) => where.not(where.exists(shippedOf)))
            .executeTakeFirst();
          if (numUpdatedRows === 0n) return false;
          const { seen_micros: atMicros } = await trx
            .selectFrom('event_writers')
            .select('seen_micros')
            .where('number', '=', next)
            .executeTakeFirstOrThrow();
          for (const lost of [writer, next - 1]) await addLost(trx, lost, atMicros);
          return true;
        },
        { serializedBy: 'event_writers' },
      ),
    async noteLost(seen, atMicros) {
      const known = db.selectFrom('event_writers').select('number').where('number', '>=', seen.number).limit(1);
      if (seen.number === 0 || (await known.executeTakeFirst()) !== undefined) return;
      await database.transaction<EventTables, void>(
        async (trx) => {
          const last = await lastUpTo(trx, seen.number);
          if (last < seen.number) seen.onForgotten(last);
          await addLost(trx, seen.number, atMicros);
        },
        { serializedBy: 'event_writers' },
      );
    },
    restore: ({ registeredMicros, seenMicros, ...same }, also) =>
      database.transaction<EventTables, boolean>(
        async (trx) => {
          await addLost(trx, same.number - 1, seenMicros);
          const row = { ...same, registered_micros: registeredMicros, seen_micros: seenMicros };
          const { numInsertedOrUpdatedRows } = await trx
            .insertInto('event_writers')
            .values(row)
            .onConflict((conflict) =>
              conflict
                .column('number')
                .doUpdateSet(row)
                .where('event_writers.token', '=', LOST_TOKEN)
                .where('event_writers.state', '=', 'open'),
            )
            .executeTakeFirst();
          if ((numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
          await also(trx);
          return true;
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
    async take({ number, holder, seenMicros }, place) {
      const row = await db
        .updateTable('event_writers')
        .set((set) => ({ holder: set('holder', '+', 1), place: place ?? null }))
        .where('number', '=', number)
        .where('state', '!=', 'forgotten')
        .where('holder', '=', holder)
        .where('seen_micros', '=', seenMicros)
        .returningAll()
        .executeTakeFirst();
      return row && toWriterRow(row);
    },
    touch: (writer, atMicros, trx = db) => report(trx, writer, { seen_micros: seenAt(atMicros) }),
    tell: (writer, { seenMicros, cut, shipped, logged, state }) =>
      report(db, writer, {
        seen_micros: seenAt(seenMicros),
        cut,
        shipped,
        logged,
        ...(state === undefined ? {} : { state }),
      }),
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

/** The greatest number that has a row, up to this one. */
async function lastUpTo(trx: Kysely<EventTables>, number: number): Promise<number> {
  const { last } = await trx
    .selectFrom('event_writers')
    .select((select) => select.fn.max('number').as('last'))
    .where('number', '<=', number)
    .executeTakeFirstOrThrow();
  return last ?? 0;
}

const ROWS_A_STATEMENT = 500;

/**
 * Adds rows for the writers from the last that is known up to this one. They are open and have shipped nothing: no run counts
 * such a writer as ended, and none moves a boundary that it may not know.
 */
async function addLost(trx: Kysely<EventTables>, through: number, atMicros: Micros): Promise<void> {
  for (let next = (await lastUpTo(trx, through)) + 1; next <= through; next += ROWS_A_STATEMENT) {
    const count = Math.min(ROWS_A_STATEMENT, through - next + 1);
    const rows = Array.from({ length: count }, (_, i) => ({
      number: next + i,
      token: LOST_TOKEN,
      machine: LOST_MACHINE,
      state: 'open' as const,
      holder: 1,
      cut: 0,
      shipped: 0,
      removed: 0,
      logged: 0,
      registered_micros: atMicros,
      seen_micros: atMicros,
      place: null,
    }));
    await trx.insertInto('event_writers').values(rows).execute();
  }
}

/** By writer, the last cut that every machine can read, of the state that `db` shows. */
export async function shippedCuts(opened: Kysely<unknown>): Promise<ReadonlyMap<number, number>> {
  // The log's own tables are in it.
  const db = opened as Kysely<EventTables>;
  const rows = await db.selectFrom('event_writers').select(['number', 'shipped']).execute();
  return new Map(rows.map(({ number, shipped }) => [number, shipped]));
}

/** One writer's report of itself; false where another holds its log, or the writer was forgotten. */
async function report(
  db: Kysely<EventTables>,
  { number, token, holder }: LogHolder,
  set: UpdateObject<EventTables, 'event_writers'>,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('event_writers')
    .set(set)
    .where('number', '=', number)
    .where('token', '=', token)
    .where('holder', '=', holder)
    .where('state', '!=', 'forgotten')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The time, changed in any case: who watches a writer sees by it that the writer lives, also where its clock stands still. */
function seenAt(micros: Micros): RawBuilder<number> {
  const isSame = sql`seen_micros >= ${micros} and seen_micros < ${micros + MICROS_PER_SECOND}`;
  return sql<number>`case when ${isSame} then seen_micros + 1 else ${micros} end`;
}

function toWriterRow(row: Selectable<EventTables['event_writers']>): WriterRow {
  const { registered_micros: registeredMicros, seen_micros: seenMicros, ...same } = row;
  return { ...same, registeredMicros, seenMicros };
}
