// Pushed rows that were set apart, until somebody puts them back: durable before their push is answered, each once however
// often its push is repeated, and bounded in bytes. What is put back stays known for a while, so that a repeat of its push
// does not bring it here again.

import type { Kysely } from 'kysely';
import { HeadraceError, type Micros, sha256Hex } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import { migrateQuarantine, type QuarantineTables } from './tables.ts';

/** Why a row was set apart. */
export interface Reason {
  readonly rule: string;
  readonly column: string;
  /** What came, what was expected. */
  readonly message: string;
}

export interface HeldRow {
  readonly id: string;
  readonly source: string;
  /** JSON, as it is pushed. */
  readonly row: string;
  readonly reasons: readonly Reason[];
  readonly arrivedMicros: Micros;
  /** Of a row that a feed brought. */
  readonly feed?: FeedPlace;
}

/** Where a row of a feed lies. */
export interface FeedPlace {
  readonly name: string;
  readonly place: number;
}

/** What a feed holds from one place to before another. */
export interface FeedPart {
  readonly source: string;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Rows that are pushed together when they are put back, always under the same key. */
export interface ReleaseBatch {
  readonly key: string;
  readonly rows: readonly HeldRow[];
}

export interface HeldSummary {
  readonly source: string;
  readonly rows: number;
  readonly bytes: number;
  readonly oldestMicros: Micros;
  readonly newestMicros: Micros;
}

export interface Quarantine {
  /**
   * Keeps rows; those that are known by their ids are left as they are. Gives the ids of the others. Throws
   * HR_QUARANTINE_FULL, and then keeps none.
   */
  hold(rows: readonly HeldRow[]): Promise<readonly string[]>;
  /** Takes back what `hold` has just kept, of a push that came to nothing. */
  withdraw(ids: readonly string[]): Promise<void>;
  /** A batch of a feed counts that set only `ids` apart: what others held of that part of the feed is let go. */
  keepOnly(part: FeedPart, ids: readonly string[]): Promise<void>;
  /** By source. */
  list(): Promise<readonly HeldSummary[]>;
  /** The oldest first. */
  rows(source: string, limit?: number): Promise<readonly HeldRow[]>;
  /**
   * Begins to put rows back, those of `ids` or all; with them what an earlier release began and did not finish, under the
   * keys of then. Ids that are not held are left out.
   */
  beginRelease(source: string, ids?: readonly string[]): Promise<readonly ReleaseBatch[]>;
  /** A batch is pushed: it is here no more. */
  finishRelease(key: string, ending: Ending): Promise<void>;
  /** Throws rows away, those of `ids` or all that no release has begun with. Gives how many. */
  drop(source: string, ids: readonly string[] | undefined, ending: Ending): Promise<number>;
}

/** Who ended a row's stay, when and why. */
export interface Ending {
  readonly at: Micros;
  readonly by: string;
  readonly reason: string | null;
}

/** What keys of releases begin with. */
export const RELEASE = 'release:';

const HERE = ['held', 'releasing'] as const;

/** Rows of one push when they are put back. */
const BATCH_ROWS = 1000;
/** Rows in one statement: databases bound the number of values. */
const TOGETHER = 500;
/** How long a row that was put back or dropped is still known by its id: long after its push is repeated. */
const KNOWN_FOR_MICROS = 30 * 86_400_000_000;

export async function openQuarantine(
  opened: Database,
  { maxBytes }: { readonly maxBytes: number },
): Promise<Quarantine> {
  const database = await migrateQuarantine(opened);
  const tables = () => database.tables<QuarantineTables>();
  const withdraw = async (ids: readonly string[]): Promise<void> => {
    for (const some of inPieces(ids)) {
      await tables().deleteFrom('quarantine_rows').where('id', 'in', some).where('state', '=', 'held').execute();
    }
  };
  return {
    hold: (rows) =>
      database.transaction<QuarantineTables, readonly string[]>(
        async (trx) => {
          const known = new Set<string>();
          for (const some of inPieces(rows.map(({ id }) => id))) {
            const there = await trx.selectFrom('quarantine_rows').select('id').where('id', 'in', some).execute();
            for (const { id } of there) known.add(id);
          }
          const fresh = rows.filter(({ id }) => !known.has(id)).map(toRow);
          if (fresh.length === 0) return [];
          const held = await trx
            .selectFrom('quarantine_rows')
            .select(({ fn }) => fn.sum('bytes').as('bytes'))
            .where('state', 'in', HERE)
            .executeTakeFirst();
          const there = Number(held?.bytes ?? 0);
          const more = fresh.reduce((sum, { bytes }) => sum + bytes, 0);
          if (there + more > maxBytes) throw full(there, more, maxBytes);
          for (const some of inPieces(fresh)) await trx.insertInto('quarantine_rows').values(some).execute();
          return fresh.map(({ id }) => id);
        },
        { serializedBy: 'quarantine' },
      ),
    withdraw,
    async keepOnly({ source, name, from, to }, ids) {
      const there = await tables()
        .selectFrom('quarantine_rows')
        .select('id')
        .where('source', '=', source)
        .where('feed', '=', name)
        .where('place', '>=', from)
        .where('place', '<', to)
        .where('state', '=', 'held')
        .execute();
      const kept = new Set(ids);
      await withdraw(there.map(({ id }) => id).filter((id) => !kept.has(id)));
    },
    async list() {
      const found = await tables()
        .selectFrom('quarantine_rows')
        .select(({ fn }) => [
          'source',
          fn.countAll<number | bigint | string>().as('rows'),
          fn.sum('bytes').as('bytes'),
          fn.min<number>('arrived_micros').as('oldest'),
          fn.max<number>('arrived_micros').as('newest'),
        ])
        .where('state', 'in', HERE)
        .groupBy('source')
        .orderBy('source')
        .execute();
      return found.map(({ source, rows, bytes, oldest, newest }) => ({
        source,
        rows: Number(rows),
        bytes: Number(bytes),
        oldestMicros: oldest,
        newestMicros: newest,
      }));
    },
    async rows(source, limit) {
      const query = tables()
        .selectFrom('quarantine_rows')
        .selectAll()
        .where('source', '=', source)
        .where('state', 'in', HERE)
        .orderBy('arrived_micros')
        .orderBy('id');
      return (await (limit === undefined ? query : query.limit(limit)).execute()).map(fromRow);
    },
    beginRelease: (source, ids) =>
      database.transaction<QuarantineTables, readonly ReleaseBatch[]>(
        async (trx) => {
          const wanted = ids === undefined ? undefined : new Set(ids);
          const rows = await trx
            .selectFrom('quarantine_rows')
            .selectAll()
            .where('source', '=', source)
            .where('state', 'in', HERE)
            .orderBy('arrived_micros')
            .orderBy('id')
            .execute();
          const batches = new Map<string, HeldRow[]>();
          for (const row of rows)
            if (row.batch !== null) batches.set(row.batch, [...(batches.get(row.batch) ?? []), fromRow(row)]);
          const held = rows.filter(({ batch, id }) => batch === null && (wanted === undefined || wanted.has(id)));
          for (let at = 0; at < held.length; at += BATCH_ROWS) {
            const members = held.slice(at, at + BATCH_ROWS);
            const key = `${RELEASE}${sha256Hex(members.map(({ id }) => id).join(' '))}`;
            for (const some of inPieces(members.map(({ id }) => id))) {
              await trx
                .updateTable('quarantine_rows')
                .set({ state: 'releasing', batch: key })
                .where('id', 'in', some)
                .execute();
            }
            batches.set(key, members.map(fromRow));
          }
          return [...batches].map(([key, members]) => ({ key, rows: members }));
        },
        { serializedBy: 'quarantine' },
      ),
    async finishRelease(key, ending) {
      await tables().updateTable('quarantine_rows').set(released(ending)).where('batch', '=', key).execute();
      await forgetLongGone(database, ending.at);
    },
    async drop(source, ids, ending) {
      const held = await tables()
        .selectFrom('quarantine_rows')
        .select('id')
        .where('source', '=', source)
        .where('state', '=', 'held')
        .execute();
      const wanted = ids === undefined ? undefined : new Set(ids);
      const chosen = held.map(({ id }) => id).filter((id) => wanted === undefined || wanted.has(id));
      for (const some of inPieces(chosen)) {
        await tables().updateTable('quarantine_rows').set(dropped(ending)).where('id', 'in', some).execute();
      }
      await forgetLongGone(database, ending.at);
      return chosen.length;
    },
  };
}

/** At another place than where a batch was pushed: what the log that came along does not hold is to be pushed again. */
export async function takeUpRelease(opened: Kysely<unknown>, key: string): Promise<void> {
  // The quarantine's own tables are in it.
  const db = opened as Kysely<QuarantineTables>;
  await db
    .updateTable('quarantine_rows')
    .set(({ fn, eb }) => ({
      state: 'releasing',
      bytes: eb(fn<number>('length', ['row']), '+', fn<number>('length', ['reasons'])),
      ended_micros: null,
      ended_by: null,
      end_reason: null,
    }))
    .where('batch', '=', key)
    .where('state', '=', 'released')
    .where('row', '<>', '')
    .execute();
}

const ended = ({ at, by, reason }: Ending) => ({ bytes: 0, ended_micros: at, ended_by: by, end_reason: reason });

// It stays as it is while it is known: a backup may have it and not yet the event that it became.
const released = (ending: Ending) => ({ state: 'released' as const, ...ended(ending) });

// Its id is all that is needed of it from now on.
export const dropped = (ending: Ending) => ({ state: 'dropped' as const, row: '', reasons: '[]', ...ended(ending) });

async function forgetLongGone(database: Database, now: Micros): Promise<void> {
  await database
    .tables<QuarantineTables>()
    .deleteFrom('quarantine_rows')
    .where('state', 'in', ['released', 'dropped'])
    .where('ended_micros', '<', now - KNOWN_FOR_MICROS)
    .execute();
}

function full(there: number, more: number, maxBytes: number): HeadraceError {
  return new HeadraceError(
    'HR_QUARANTINE_FULL',
    `the quarantine holds ${there} bytes of pushed rows, and ${more} more are past its ${maxBytes} (quarantine.maxSize). Nothing of the push is kept. ` +
      'Put rows back or drop them (`headrace quarantine list`), loosen the rule, or give it more room.',
  );
}

function toRow({ id, source, row, reasons, arrivedMicros, feed }: HeldRow) {
  const texts = { row, reasons: JSON.stringify(reasons) };
  return {
    id,
    source,
    ...texts,
    arrived_micros: arrivedMicros,
    bytes: Buffer.byteLength(texts.row) + Buffer.byteLength(texts.reasons),
    feed: feed?.name ?? null,
    place: feed?.place ?? null,
    state: 'held' as const,
    batch: null,
    ended_micros: null,
    ended_by: null,
    end_reason: null,
  };
}

function fromRow(row: QuarantineTables['quarantine_rows']): HeldRow {
  return {
    id: row.id,
    source: row.source,
    row: row.row,
    // As toRow wrote them.
    reasons: JSON.parse(row.reasons) as Reason[],
    arrivedMicros: row.arrived_micros,
  };
}

function inPieces<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / TOGETHER) }, (_, i) =>
    items.slice(i * TOGETHER, (i + 1) * TOGETHER),
  );
}
