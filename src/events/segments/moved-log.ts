// The log's rows at another place: which objects they need, and what is true of writers whose machines are not there.

import { randomBytes } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { ObjectUse, RowsOwner } from '../../storage/index.ts';
import { folderName, segmentKey } from './local-segments.ts';
import type { EventTables } from '../tables/schema.ts';

export const eventRows: RowsOwner = {
  table: 'event_writers',
  objects: eventObjects,
  foreign: foreignLog,
  settle: forgetWriters,
};

/** Every shipped segment that was not removed, and is an object. */
async function* eventObjects(opened: Kysely<unknown>): AsyncIterable<ObjectUse> {
  // The log's own tables are in it.
  const db = opened as Kysely<EventTables>;
  const elsewhere = await writersInTopics(db);
  const rows = await db
    .selectFrom('event_segments')
    .innerJoin('event_writers', 'event_writers.number', 'event_segments.writer')
    .select(['writer', 'token', 'seq'])
    .where('is_removed', '=', 0)
    .orderBy('writer')
    .orderBy('seq')
    .execute();
  for (const { writer, token, seq } of rows) {
    if (elsewhere.has(writer)) continue;
    yield {
      key: segmentKey(writer, token, seq),
      what: `segment ${seq} of the event log's writer ${writer}`,
      ifGone: 'needed',
    };
  }
}

/** None in a registry that had no such table yet. */
async function writersInTopics(db: Kysely<EventTables>): Promise<ReadonlySet<number>> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === 'event_partitions')) return new Set();
  const rows = await db.selectFrom('event_partitions').select('writer').execute();
  return new Set(rows.map(({ writer }) => writer));
}

/** Segments of writers that are not of this registry, or that it would know had they been shipped by its own. */
async function foreignLog(opened: Kysely<unknown>, keys: readonly string[]): Promise<string | undefined> {
  const db = opened as Kysely<EventTables>;
  const rows = await db
    .selectFrom('event_writers')
    .leftJoin('event_segments', 'event_segments.writer', 'event_writers.number')
    .select(({ fn }) => ['number', 'token', fn.max('seq').as('last')])
    .groupBy(['number', 'token'])
    .execute();
  const lasts = new Map(rows.map(({ number, token, last }) => [folderName(number, token), last ?? 0]));
  return keys.find((key) => {
    const [, folder = '', seq] = /^events\/([^/]+)\/(\d+)\.log$/.exec(key) ?? [];
    return seq !== undefined && Number(seq) > (lasts.get(folder) ?? -1);
  });
}

/** More than the writers that the former place may register after its rows were read. */
const SKIPPED = 1_000_000;

/**
 * What the writers had shipped counts; nothing waits for them any more, as their logs are on other disks. The next writer's
 * number is one that no part in any online store bears.
 */
async function forgetWriters(opened: Kysely<unknown>): Promise<void> {
  const db = opened as Kysely<EventTables>;
  await db.updateTable('event_writers').set({ state: 'forgotten' }).where('state', '=', 'open').execute();
  const { last, seen } = await db
    .selectFrom('event_writers')
    .select(({ fn }) => [fn.max('number').as('last'), fn.max('seen_micros').as('seen')])
    .executeTakeFirstOrThrow();
  const at = seen ?? 0;
  const none = { token: randomBytes(6).toString('hex'), machine: '(a restore)', state: 'ended', holder: 1 } as const;
  await sql`insert into event_writers (number, token, machine, state, holder, cut, shipped, registered_micros, seen_micros) values (${(last ?? 0) + SKIPPED}, ${none.token}, ${none.machine}, ${none.state}, ${none.holder}, 0, 0, ${at}, ${at})`.execute(
    db,
  );
}
