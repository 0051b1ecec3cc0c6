import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { type Generated, type Kysely, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Database, type Migration, openDatabase, type TransactionOptions } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { fullIt } from '../support/tier.ts';
import { folderOfTest } from '../support/new-folder.ts';

interface Tables {
  counters: { name: string; value: number | bigint | null };
  notes: { id: Generated<number>; counter: string };
}

const counters: Migration = {
  name: '0001-counters',
  up: (db) => sql`create table counters (name text primary key, value bigint)`.execute(db).then(() => {}),
};

const notes: Migration = {
  name: '0002-notes',
  async up(db, kind) {
    const id = sql.raw(kind === 'sqlite' ? 'integer' : 'bigserial');
    await sql`create table notes (id ${id} primary key, counter text not null references counters (name))`.execute(db);
  },
};

const all = (database: Database) => database.tables<Tables>().selectFrom('counters').selectAll().execute();
type Counter = Tables['counters'];
const insert = (db: Kysely<Tables>, ...values: readonly Counter[]) =>
  db.insertInto('counters').values(values).execute();
const add = (database: Database, ...values: readonly Counter[]) => insert(database.tables<Tables>(), ...values);

describe.each(testDatabases('database contract'))('a database on $name', (databases) => {
  const opened: Database[] = [];
  const open = async (url: string): Promise<Database> => {
    const database = await openDatabase(url);
    opened.push(database);
    return database;
  };
  const openNew = async (): Promise<Database> => {
    const database = await open(await databases.newUrl());
    await database.migrate('test', [counters, notes]);
    return database;
  };

  beforeAll(() => databases.start());
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });
  afterAll(() => databases.stop());

  it('gives whole numbers with all their digits', async () => {
    const db = (await openNew()).tables<Tables>();
    const values = [0, -1, Number.MAX_SAFE_INTEGER, 2n ** 63n - 1n, -(2n ** 63n), null];
    for (const [at, value] of values.entries()) await insert(db, { name: String(at), value });
    const rows = await db.selectFrom('counters').select('value').orderBy('name').execute();
    expect(rows.map((row) => row.value)).toEqual(values);
  });

  it('waits for the disk after each commit but those of transactions that may be lost', async () => {
    const database = await openNew();
    const asked = database.kind === 'sqlite' ? sql`pragma synchronous` : sql`show synchronous_commit`;
    const read = async (db: Kysely<unknown>): Promise<unknown> =>
      Object.values((await asked.execute(db)).rows[0] as object)[0];
    const synced = database.kind === 'sqlite' ? 2 : 'on';
    const within = (options: TransactionOptions) => database.transaction<unknown, unknown>(read, options);
    // The tests' own server is quick, and its only connection is used again.
    if (database.kind === 'postgres') await sql`set synchronous_commit = on`.execute(database.tables());
    expect(await within({})).toBe(synced);
    expect(await within({ isLosable: true })).toBe(database.kind === 'sqlite' ? 1 : 'off');
    const fails = () => Promise.reject(new Error('no'));
    await expect(database.transaction(fails, { isLosable: true })).rejects.toThrow('no');
    expect(await within({})).toBe(synced);
    // It is a transaction like others.
    const counter = { name: 'a', value: 1 };
    await database.transaction<Tables, unknown>((trx) => insert(trx, counter), { isLosable: true });
    expect(await all(database)).toEqual([counter]);
  });

  it('counts and takes maxima as numbers', async () => {
    const db = (await openNew()).tables<Tables>();
    await insert(db, { name: 'a', value: 3 }, { name: 'b', value: 4 });
    const row = await db
      .selectFrom('counters')
      .select((of) => [of.fn.countAll().as('rows'), of.fn.max('value').as('max'), of.fn.sum('value').as('sum')])
      .executeTakeFirstOrThrow();
    expect({ ...row }).toEqual({ rows: 2, max: 4, sum: 7 });
  });

  it('gives back what a RETURNING clause asks for, and how many rows changed', async () => {
    const db = (await openNew()).tables<Tables>();
    const made = await db.insertInto('counters').values({ name: 'a', value: 1 }).returning('value').executeTakeFirst();
    expect(made?.value).toBe(1);
    const [updated] = await db.updateTable('counters').set({ value: 2 }).execute();
    expect(updated?.numUpdatedRows).toBe(1n);
  });

  it('keeps a transaction whole when it commits and leaves nothing when it throws', async () => {
    const database = await openNew();
    await database.transaction<Tables, void>(async (trx) => {
      await insert(trx, { name: 'kept', value: 1 });
    });
    const failing = database.transaction<Tables, void>(async (trx) => {
      await insert(trx, { name: 'lost', value: 1 });
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    const names = await database.tables<Tables>().selectFrom('counters').select('name').execute();
    expect(names.map((row) => row.name)).toEqual(['kept']);
  });

  it('works on after a statement failed inside a transaction', async () => {
    const database = await openNew();
    const failing = database.transaction<Tables, void>(async (trx) => {
      await insert(trx, { name: 'a', value: 1 }, { name: 'a', value: 2 });
    });
    await expect(failing).rejects.toThrow(/unique/i);
    await add(database, { name: 'a', value: 3 });
  });

  it('enforces foreign keys', async () => {
    const db = (await openNew()).tables<Tables>();
    await expect(db.insertInto('notes').values({ counter: 'nobody' }).execute()).rejects.toThrow(/foreign key/i);
  });

  it('loses no increment when serialized transactions of two handles interleave', async () => {
    const url = await databases.newUrl();
    const [one, other] = [await open(url), await open(url)];
    await one.migrate('test', [counters]);
    await add(one, { name: 'a', value: 0 });
    const increment = (database: Database): Promise<void> =>
      database.transaction<Tables, void>(
        async (trx) => {
          const { value } = await trx.selectFrom('counters').select('value').executeTakeFirstOrThrow();
          const next = { value: Number(value) + 1 };
          await trx.updateTable('counters').set(next).execute();
        },
        { serializedBy: 'counters' },
      );
    await Promise.all(Array.from({ length: 40 }, (_, at) => increment(at % 2 === 0 ? one : other)));
    expect((await one.tables<Tables>().selectFrom('counters').select('value').executeTakeFirst())?.value).toBe(40);
  });

  it('applies each migration once, in order, whoever asks and however often', async () => {
    const url = await databases.newUrl();
    const handles = await Promise.all([open(url), open(url), open(url)]);
    await Promise.all(handles.map((database) => database.migrate('test', [counters])));
    await Promise.all(handles.map((database) => database.migrate('test', [counters, notes])));
    const [first] = handles;
    await first?.tables<Tables>().selectFrom('notes').selectAll().execute();
  });

  it('keeps the migrations of two owners apart', async () => {
    const database = await openNew();
    const up: Migration['up'] = (db) => db.schema.createTable('others').addColumn('a', 'text').execute();
    const other = { name: '0001-counters', up };
    await database.migrate('other', [other]);
    await database.tables<{ others: { a: string } }>().selectFrom('others').selectAll().execute();
  });

  it('leaves nothing of a set of migrations of which one fails', async () => {
    const database = await open(await databases.newUrl());
    const failing: Migration = { name: '0002-fails', up: () => Promise.reject(new Error('no')) };
    await expect(database.migrate('test', [counters, failing])).rejects.toThrow('no');
    await database.migrate('test', [counters]);
    expect(await all(database)).toEqual([]);
  });

  describe('opened to read', () => {
    const toRead = async (url: string): Promise<Database> => {
      const database = await openDatabase(url, { access: 'read' });
      opened.push(database);
      return database;
    };
    const written = sql`insert into counters values ('b', 2)`;
    const expectNoChange = async (reading: Database): Promise<void> => {
      const change = (db: Kysely<Tables>) => insert(db, { name: 'b', value: 2 });
      await expect(change(reading.tables<Tables>())).rejects.toThrow(/opened to read/);
      await expect(reading.transaction<Tables, unknown>(change)).rejects.toThrow(/opened to read/);
      await expect(written.execute(reading.tables())).rejects.toThrow(/read-?only/);
      await expect(reading.transaction((trx) => written.execute(trx))).rejects.toThrow(/read-?only/);
    };

    it('reads further tables by one whose tables are not there yet, be they there or not', async () => {
      const url = await databases.newUrl();
      await add(await (await open(url)).migrate('test', [counters]), { name: 'a', value: 1 });
      const empty = await (await toRead(url)).migrate('later', [{ ...counters, name: '0001-later' }]);
      expect(await all(empty)).toEqual([]);
      expect(await all(await empty.migrate('test', [counters]))).toEqual([{ name: 'a', value: 1 }]);
      expect(await all(await empty.migrate('latest', [{ ...counters, name: '0001-latest' }]))).toEqual([]);
    });

    it('reads what is there, by SQL of any kind too, and takes no change', async () => {
      const url = await databases.newUrl();
      const written = await (await open(url)).migrate('test', [counters, notes]);
      await add(written, { name: 'a', value: 1 });
      const reading = await (await toRead(url)).migrate('test', [counters, notes]);
      const counted = sql<{ n: number }>`select count(*) as n from counters`;
      await expectNoChange(reading);
      expect(await all(reading)).toEqual([{ name: 'a', value: 1 }]);
      expect((await counted.execute(reading.tables())).rows).toEqual([{ n: 1 }]);
      expect((await reading.transaction((trx) => counted.execute(trx))).rows).toEqual([{ n: 1 }]);
      expect(await all(written)).toEqual([{ name: 'a', value: 1 }]);
    });

    it('takes no change of tables that are not there', async () => {
      const empty = await (await toRead(await databases.newUrl())).migrate('test', [counters]);
      await expectNoChange(empty);
      expect(await all(empty)).toEqual([]);
      expect(await all(await empty.migrate('test', [counters]))).toEqual([]);
    });

    it('makes no tables of an owner that has several sets of them, and reads each', async () => {
      const reading = await toRead(await databases.newUrl());
      const up: Migration['up'] = (db) => db.schema.createTable('others').addColumn('id', 'integer').execute();
      const others = { name: '0001-others', up };
      expect(await all(await reading.migrate('test', [counters]))).toEqual([]);
      const other = await reading.migrate('test', [others]);
      expect(await other.tables<{ others: object }>().selectFrom('others').selectAll().execute()).toEqual([]);
      expect(await all(await reading.migrate('test', [counters]))).toEqual([]);
    });

    it('is closed, whatever became of the tables that were not there', async () => {
      const reading = await toRead(await databases.newUrl());
      const failing: Migration = { name: '0001-fails', up: () => Promise.reject(new Error('no')) };
      await expect(reading.migrate('test', [failing])).rejects.toThrow('no');
      await reading.close();
      await expect(reading.tables().introspection.getTables()).rejects.toThrow(/not open|destroyed/);
    });

    it('makes no tables: an owner without any is read as an empty one', async () => {
      const url = await databases.newUrl();
      expect(await all(await (await toRead(url)).migrate('test', [counters, notes]))).toEqual([]);
      const database = await open(url);
      expect(await database.tables().introspection.getTables()).toEqual([]);
      await database.migrate('test', [counters, notes]);
      const other = await (await toRead(url)).migrate('other', [{ ...counters, name: '0001-others' }]);
      expect(await all(other)).toEqual([]);
    });

    it('refuses tables of an earlier version, and says what they lack and what migrates them', async () => {
      const url = await databases.newUrl();
      await (await open(url)).migrate('test', [counters]);
      const reading = await toRead(url);
      const refused = reading.migrate('test', [counters, notes]);
      await expect(refused).rejects.toMatchObject({ code: 'HR_REGISTRY_OUTDATED' });
      await expect(refused).rejects.toThrow(/test: 0002-notes.*`headrace apply`/);
      expect(await all(await reading.migrate('test', [counters]))).toEqual([]);
    });
  });

  // twin: test/contract/database.test.ts > loses no increment when serialized transactions of two handles interleave
  fullIt('serves several processes that write at once', async () => {
    const url = await databases.newUrl();
    const database = await open(url);
    await database.migrate('test', [counters]);
    await add(database, { name: 'a', value: 0 });
    await Promise.all([runIncrements(url, 25), runIncrements(url, 25), runIncrements(url, 25)]);
    expect((await database.tables<Tables>().selectFrom('counters').select('value').executeTakeFirst())?.value).toBe(75);
  });
});

describe('a SQLite database', () => {
  it('refuses to be used beside the transaction that holds it, instead of waiting for ever', async () => {
    const database = await openDatabase('sqlite::memory:');
    await database.migrate('test', [counters]);
    const read = () => database.tables<Tables>().selectFrom('counters').selectAll().execute();
    await expect(database.transaction(read)).rejects.toThrow(/only its `trx`/);
    await expect(database.transaction(() => database.transaction(read))).rejects.toThrow(/only its `trx`/);
    expect(await read()).toEqual([]);
    await database.close();
  });
});

describe.each(testDatabases('lost connections').filter(({ name }) => name === 'Postgres'))(
  'a $name database',
  (databases) => {
    beforeAll(() => databases.start());
    afterAll(() => databases.stop());

    it('is read by a user who may do nothing else', async () => {
      const url = await databases.newUrl();
      const database = await openDatabase(url);
      await database.migrate('test', [counters]);
      await sql`create role reader login; grant select on all tables in schema public to reader`.execute(
        database.tables(),
      );
      const reading = await openDatabase(url.replace('//headrace@', '//reader@'), { access: 'read' });
      const found = await reading.migrate('test', [counters]);
      expect(await all(found)).toEqual([]);
      const none = await reading.migrate('other', [{ ...counters, name: '0001-others' }]);
      expect(await all(none)).toEqual([]);
      await reading.close();
      await database.close();
    });

    it('says that a connection was lost, keeps nothing of its transaction, and goes on with another', async () => {
      const url = await databases.newUrl();
      const [database, other] = [await openDatabase(url), await openDatabase(url)];
      await database.migrate('test', [counters]);
      const cut = database.transaction<Tables, void>(async (trx) => {
        await insert(trx, { name: 'a', value: 1 });
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
        await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(other.tables());
        await insert(trx, { name: 'b', value: 1 });
      });
      await expect(cut).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
      expect(await all(database)).toEqual([]);
      await database.close();
      await other.close();
    });

    it('holds nothing for a process that stands still in a transaction, but a snapshot', async () => {
      const url = await databases.newUrl();
      const [still, other] = [await openDatabase(`${url}&query_timeout=500`), await openDatabase(url)];
      await still.migrate('test', [counters]);
      await add(other, { name: 'a', value: 1 });
      const set = (db: Kysely<Tables>, value: number) => db.updateTable('counters').set({ value }).execute();
      const locked = Promise.withResolvers<void>();
      const stands = still.transaction<Tables, void>(async (trx) => {
        await set(trx, 2);
        locked.resolve();
        await delay(1500);
        await set(trx, 3);
      });
      stands.catch(() => {});
      const read = still.transaction<Tables, unknown>(
        async (trx) => {
          await delay(1000);
          return await trx.selectFrom('counters').selectAll().execute();
        },
        { isSnapshot: true },
      );
      await locked.promise;
      await set(other.tables<Tables>(), 4);
      await expect(stands).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
      expect(await read).toHaveLength(1);
      expect(await still.tables<Tables>().selectFrom('counters').select('value').execute()).toEqual([{ value: 4 }]);
      await still.close();
      await other.close();
    });
  },
);

/** A user id that owns nothing. */
const NOBODY = 65_534;

describe('opening a database', () => {
  it('makes no file to read one that is not there', async () => {
    const folder = folderOfTest();
    const database = await openDatabase(`sqlite:${join(folder, 'new', 'registry.db')}`, { access: 'read' });
    const empty = await database.migrate('test', [counters]);
    expect(await all(empty)).toEqual([]);
    await database.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  /** A file without a write-ahead log, as a copy or a backup may be. */
  const makePlain = (): { readonly folder: string; readonly path: string } => {
    const folder = folderOfTest();
    const path = join(folder, 'registry.db');
    const file = new DatabaseSync(path);
    file.exec('create table notes (id integer); insert into notes values (7)');
    file.close();
    return { folder, path };
  };
  const readNotes = async (path: string): Promise<unknown> => {
    const database = await openDatabase(`sqlite:${path}`, { access: 'read' });
    try {
      return await database.tables<Tables>().selectFrom('notes').select('id').execute();
    } finally {
      await database.close();
    }
  };

  it('leaves a file that it reads as it is, to the last byte', async () => {
    const { folder, path } = makePlain();
    const before = readFileSync(path);
    expect(await readNotes(path)).toEqual([{ id: 7 }]);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['registry.db']);
  });

  it('reads a file that it may not write, in a folder that it may not write', async () => {
    const { folder, path } = makePlain();
    // Leaves it with a write-ahead log, which a reader would make anew.
    await (await openDatabase(`sqlite:${path}`)).close();
    chmodSync(path, 0o444);
    chmodSync(folder, 0o555);
    // Root may write anywhere.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      expect(await readNotes(path)).toEqual([{ id: 7 }]);
      expect(readdirSync(folder)).toEqual(['registry.db']);
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(folder, 0o755);
    }
  });

  it('names the schemes it knows when the URL has another', async () => {
    const message = expect.stringMatching(/sqlite:PATH.*postgres:/);
    await expect(openDatabase('mysql://r@localhost/x')).rejects.toMatchObject({ code: 'HR_CONFIG', message });
  });

  it.each([
    ['that Postgres does not answer', 'postgres://headrace@127.0.0.1:1/x'],
    ['that a file is no SQLite database', `sqlite:${import.meta.filename}`],
  ])('says %s', async (_what, url) => {
    await expect(openDatabase(url)).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
  });
});

async function runIncrements(url: string, times: number): Promise<void> {
  const script = new URL('../support/increment-counter.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, url, String(times)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const status = await new Promise((resolve) => child.once('exit', resolve));
  expect(status).toBe(0);
}
