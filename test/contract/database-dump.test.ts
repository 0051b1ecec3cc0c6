// A database as lines, and back: SQLite and Postgres, each from the other, whatever the values are.

import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Database,
  dumpDatabase,
  type DumpedDatabase,
  findRows,
  loadDatabase,
  type MigrateAll,
  type Migration,
  openDatabase,
} from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { rows, runs } from '../support/tier.ts';

const first: Migration = {
  name: '0001-notes',
  async up(db, kind) {
    const id = sql.raw(kind === 'sqlite' ? 'integer primary key autoincrement' : 'bigserial primary key');
    await sql`create table topics (name text primary key)`.execute(db);
    await sql`create table notes (id ${id}, topic text not null references topics (name), text text, number bigint)`.execute(
      db,
    );
    await sql`insert into topics (name) values ('there from the start')`.execute(db);
  },
};
const second: Migration = {
  name: '0002-stars',
  up: (db) => sql`alter table notes add column stars integer not null default 3`.execute(db).then(() => {}),
};
const migrating =
  (...migrations: readonly Migration[]): MigrateAll =>
  async (database) => {
    await database.migrate('notes', migrations);
  };
const old = migrating(first);
const all = migrating(first, second);

interface Tables {
  topics: { name: string };
  notes: { id?: number; topic: string; text: string | null; number: number | bigint | null; stars?: number };
}
type Note = Omit<Tables['notes'], 'id'>;

const databases = testDatabases('dumps of a database');
const every = databases.flatMap((from) => databases.map((to) => [from.name, to.name, from, to] as const));
const isAcross = ([from, to]: readonly [string, string, ...unknown[]]): boolean => from !== to;
const across = every.filter(isAcross);
// Where there is one kind alone, into the same.
const within = every.filter((pair) => !isAcross(pair));
const pairs = across.length === 0 ? every : rows(across, within);

describe.each(pairs)('a dump of %s loaded into %s', (_from, _to, from, to) => {
  const opened: Database[] = [];
  const open = async (url: string): Promise<Database> => {
    const database = await openDatabase(url);
    opened.push(database);
    return database;
  };
  beforeAll(async () => {
    for (const one of new Set([from, to])) await one.start();
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });
  afterAll(async () => {
    for (const one of new Set([from, to])) await one.stop();
  });

  const filled = async (migrateAll: MigrateAll, notes: readonly Note[]): Promise<Database> => {
    const database = await open(await from.newUrl());
    await migrateAll(database);
    const db = database.tables<Tables>();
    const topics = new Set(notes.map(({ topic }) => topic));
    topics.delete('there from the start');
    for (const name of topics) await db.insertInto('topics').values({ name }).execute();
    for (const note of notes) await db.insertInto('notes').values(note).execute();
    return database;
  };
  const dump = (database: Database, migrateAll: MigrateAll) =>
    dumpDatabase(database, migrateAll, async (dumped, read) => {
      const lines = new Map<string, string[]>();
      for (const table of dumped.tables) lines.set(table.name, await Array.fromAsync(read(table)));
      return { dumped, lines };
    });
  const load = (
    database: Database,
    { dumped, lines }: { dumped: DumpedDatabase; lines: ReadonlyMap<string, readonly string[]> },
    migrateAll: MigrateAll,
    isForced = false,
  ) =>
    loadDatabase(database, {
      dumped,
      lines: async function* ({ name }) {
        yield* lines.get(name) ?? [];
      },
      migrateAll,
      confirm: (rows) => {
        if (rows.size > 0 && !isForced) throw new Error(`not empty: ${[...rows].join(' ')}`);
      },
      settle: async () => {},
    });
  const notesOf = (database: Database) =>
    database.tables<Tables>().selectFrom('notes').select(['id', 'topic', 'text', 'number']).orderBy('id').execute();

  // Postgres has no text with a NUL.
  const text = fc.string({ unit: 'binary' }).map((some) => some.replaceAll('\0', ''));
  const whole = fc.oneof(
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).filter((big) => !Number.isSafeInteger(Number(big))),
    fc.constant(null),
  );
  const notes = fc.array(
    fc.record({ topic: fc.constantFrom('there from the start', 'b', ' '), text: fc.option(text), number: whole }),
    { maxLength: 30 },
  );

  it('has every row as it was, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(notes, async (some) => {
        const source = await filled(all, some);
        const target = await open(await to.newUrl());
        await load(target, await dump(source, all), all);
        expect(await notesOf(target)).toEqual(await notesOf(source));
        for (const one of opened.splice(0)) await one.close();
      }),
      { numRuns: runs(12) },
    );
  }, 60_000);

  it('holds more rows than are read and written at once, and counts on after them', async () => {
    const rows = Array.from({ length: 1203 }, (_, i) => ({ topic: 'b', text: `\u2028 ${i}\n`, number: i }));
    const source = await filled(all, rows);
    const target = await open(await to.newUrl());
    await load(target, await dump(source, all), all);
    expect(await notesOf(target)).toEqual(await notesOf(source));
    await target.tables<Tables>().insertInto('notes').values({ topic: 'b', text: 'next', number: null }).execute();
    expect((await notesOf(target)).at(-1)).toMatchObject({ id: 1204, text: 'next' });
  }, 60_000);

  it('of an earlier version is brought up to this one, and of a later one refused', async () => {
    const source = await filled(old, [{ topic: 'b', text: 'old', number: 1 }]);
    const target = await open(await to.newUrl());
    // Tables of this version that are empty are in nobody's way.
    await all(target);
    await load(target, await dump(source, all), all);
    const stars = await target.tables<Tables>().selectFrom('notes').select(['text', 'stars']).execute();
    expect(stars).toEqual([{ text: 'old', stars: 3 }]);

    const later = await filled(all, []);
    await expect(dump(later, old)).rejects.toMatchObject({ code: 'HR_BACKUP_NEWER' });
    const dumped = await dump(later, all);
    await expect(load(await open(await to.newUrl()), dumped, old)).rejects.toMatchObject({ code: 'HR_BACKUP_NEWER' });
  });

  it('is of one moment, though others write meanwhile', async () => {
    const url = await from.newUrl();
    const source = await open(url);
    await all(source);
    const other = await open(url);
    const write = (name: string) => other.tables<Tables>().insertInto('topics').values({ name }).execute();
    const seen = await dumpDatabase(source, all, async ({ tables }, read) => {
      const found: string[] = [];
      for (const table of tables) {
        await write(`before ${table.name}`);
        for await (const line of read(table)) found.push(`${table.name} ${line}`);
      }
      return found;
    });
    expect(seen).toEqual(['topics ["there from the start"]']);
    expect(await findRows(source.tables(), all)).toEqual(new Map([['topics', 3]]));
  });

  it('changes nothing where it is refused, or ends half-way', async () => {
    const dumped = await dump(await filled(all, [{ topic: 'b', text: 'new', number: 1 }]), all);
    const target = await open(await to.newUrl());
    await all(target);
    await target.tables<Tables>().insertInto('topics').values({ name: 'mine' }).execute();
    await expect(load(target, dumped, all)).rejects.toThrow('not empty: topics,2');
    const cut = new Map([...dumped.lines, ['notes', [...(dumped.lines.get('notes') ?? []), '[1]']] as const]);
    await expect(load(target, { ...dumped, lines: cut }, all, true)).rejects.toMatchObject({
      code: 'HR_BACKUP_DAMAGED',
    });
    const topics = target.tables<Tables>().selectFrom('topics').select('name').orderBy('name');
    expect(await topics.execute()).toEqual([{ name: 'mine' }, { name: 'there from the start' }]);
    await load(target, dumped, all, true);
    expect(await topics.execute()).toEqual([{ name: 'b' }, { name: 'there from the start' }]);
  });

  it('says so where there is nothing to dump', async () => {
    const empty = await open(await from.newUrl());
    await expect(dump(empty, all)).rejects.toMatchObject({ code: 'HR_NOTHING_APPLIED' });
    expect(await findRows(empty.tables(), all)).toEqual(new Map());
  });
});
