import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { type Generated, type Kysely, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Database, type Migration, openDatabase, type TransactionOptions } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { fullIt } from '../support/tier.ts';

interface Tables {
  counters: { name: string; value: number | bigint | null };
  notes: { id: Generated<number>; counter: string };
}

const counters: Migration = {
  name: '0001-counters',
  async up(db) {
    await db.schema
      .createTable('counters')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('value', 'bigint')
      .execute();
  },
};

const notes: Migration = {
  name: '0002-notes',
  async up(db, kind) {
    await db.schema
      .createTable('notes')
      .addColumn('id', kind === 'sqlite' ? 'integer' : 'bigserial', (column) => column.primaryKey())
      .addColumn('counter', 'text', (column) => column.notNull().references('counters.name'))
      .execute();
  },
};

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
    for (const [at, value] of values.entries()) {
      await db
        .insertInto('counters')
        .values({ name: String(at), value })
        .execute();
    }
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
    await expect(database.transaction(() => Promise.reject(new Error('no')), { isLosable: true })).rejects.toThrow(
      'no',
    );
    expect(await within({})).toBe(synced);
    // It is a transaction like others.
    const counter = { name: 'a', value: 1 };
    await database.transaction<Tables, unknown>((trx) => trx.insertInto('counters').values(counter).execute(), {
      isLosable: true,
    });
    expect(await database.tables<Tables>().selectFrom('counters').selectAll().execute()).toEqual([counter]);
  });

  it('counts and takes maxima as numbers', async () => {
    const db = (await openNew()).tables<Tables>();
    await db
      .insertInto('counters')
      .values([
        { name: 'a', value: 3 },
        { name: 'b', value: 4 },
      ])
      .execute();
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
      await trx.insertInto('counters').values({ name: 'kept', value: 1 }).execute();
    });
    const failing = database.transaction<Tables, void>(async (trx) => {
      await trx.insertInto('counters').values({ name: 'lost', value: 1 }).execute();
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    const names = await database.tables<Tables>().selectFrom('counters').select('name').execute();
    expect(names.map((row) => row.name)).toEqual(['kept']);
  });

  it('works on after a statement failed inside a transaction', async () => {
    const database = await openNew();
    const failing = database.transaction<Tables, void>(async (trx) => {
      await trx
        .insertInto('counters')
        .values([
          { name: 'a', value: 1 },
          { name: 'a', value: 2 },
        ])
        .execute();
    });
    await expect(failing).rejects.toThrow(/unique/i);
    await database.tables<Tables>().insertInto('counters').values({ name: 'a', value: 3 }).execute();
  });

  it('enforces foreign keys', async () => {
    const db = (await openNew()).tables<Tables>();
    await expect(db.insertInto('notes').values({ counter: 'nobody' }).execute()).rejects.toThrow(/foreign key/i);
  });

  it('loses no increment when serialized transactions of two handles interleave', async () => {
    const url = await databases.newUrl();
    const [one, other] = [await open(url), await open(url)];
    await one.migrate('test', [counters]);
    await one.tables<Tables>().insertInto('counters').values({ name: 'a', value: 0 }).execute();
    const increment = (database: Database): Promise<void> =>
      database.transaction<Tables, void>(
        async (trx) => {
          const { value } = await trx.selectFrom('counters').select('value').executeTakeFirstOrThrow();
          await trx
            .updateTable('counters')
            .set({ value: Number(value) + 1 })
            .execute();
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
    const other: Migration = {
      name: '0001-counters',
      up: (db) => db.schema.createTable('others').addColumn('a', 'text').execute(),
    };
    await database.migrate('other', [other]);
    await database.tables<{ others: { a: string } }>().selectFrom('others').selectAll().execute();
  });

  it('leaves nothing of a set of migrations of which one fails', async () => {
    const database = await open(await databases.newUrl());
    const failing: Migration = { name: '0002-fails', up: () => Promise.reject(new Error('no')) };
    await expect(database.migrate('test', [counters, failing])).rejects.toThrow('no');
    await database.migrate('test', [counters]);
    expect(await database.tables<Tables>().selectFrom('counters').selectAll().execute()).toEqual([]);
  });

  describe('opened to read', () => {
    const toRead = async (url: string): Promise<Database> => {
      const database = await openDatabase(url, { access: 'read' });
      opened.push(database);
      return database;
    };
    const all = (database: Database) => database.tables<Tables>().selectFrom('counters').selectAll().execute();

    const values = { name: 'b', value: 2 };
    const insert = sql`insert into counters values ('b', 2)`;
    const expectNoChange = async (reading: Database): Promise<void> => {
      const change = (db: Kysely<Tables>) => db.insertInto('counters').values(values).execute();
      await expect(change(reading.tables<Tables>())).rejects.toThrow(/opened to read/);
      await expect(reading.transaction<Tables, unknown>(change)).rejects.toThrow(/opened to read/);
      await expect(insert.execute(reading.tables())).rejects.toThrow(/read-?only/);
      await expect(reading.transaction((trx) => insert.execute(trx))).rejects.toThrow(/read-?only/);
    };

    it('reads what is there, by SQL of any kind too, and takes no change', async () => {
      const url = await databases.newUrl();
      const written = await (await open(url)).migrate('test', [counters, notes]);
      await written.tables<Tables>().insertInto('counters').values({ name: 'a', value: 1 }).execute();
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
      const others: Migration = {
        name: '0001-others',
        up: (db) => db.schema.createTable('others').addColumn('id', 'integer').execute(),
      };
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
    await database.tables<Tables>().insertInto('counters').values({ name: 'a', value: 0 }).execute();
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
      expect(await found.tables<Tables>().selectFrom('counters').selectAll().execute()).toEqual([]);
      const none = await reading.migrate('other', [{ ...counters, name: '0001-others' }]);
      expect(await none.tables<Tables>().selectFrom('counters').selectAll().execute()).toEqual([]);
      await reading.close();
      await database.close();
    });

    it('says that a connection was lost, keeps nothing of its transaction, and goes on with another', async () => {
      const url = await databases.newUrl();
      const [database, other] = [await openDatabase(url), await openDatabase(url)];
      await database.migrate('test', [counters]);
      const cut = database.transaction<Tables, void>(async (trx) => {
        await trx.insertInto('counters').values({ name: 'a', value: 1 }).execute();
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
        await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(other.tables());
        await trx.insertInto('counters').values({ name: 'b', value: 1 }).execute();
      });
      await expect(cut).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
      expect(await database.tables<Tables>().selectFrom('counters').selectAll().execute()).toEqual([]);
      await database.close();
      await other.close();
    });

    it('holds nothing for a process that stands still in a transaction, but a snapshot', async () => {
      const url = await databases.newUrl();
      const [still, other] = [await openDatabase(`${url}&query_timeout=500`), await openDatabase(url)];
      await still.migrate('test', [counters]);
      await other.tables<Tables>().insertInto('counters').values({ name: 'a', value: 1 }).execute();
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
    const folder = mkdtempSync(join(tmpdir(), 'headrace-none-'));
    const database = await openDatabase(`sqlite:${join(folder, 'new', 'registry.db')}`, { access: 'read' });
    const empty = await database.migrate('test', [counters]);
    expect(await empty.tables<Tables>().selectFrom('counters').selectAll().execute()).toEqual([]);
    await database.close();
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  /** A file without a write-ahead log, as a copy or a backup may be. */
  const makePlain = (): { readonly folder: string; readonly path: string } => {
    const folder = mkdtempSync(join(tmpdir(), 'headrace-plain-'));
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
    rmSync(folder, { recursive: true });
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
      rmSync(folder, { recursive: true });
    }
  });

  it('names the schemes it knows when the URL has another', async () => {
    await expect(openDatabase('mysql://root:hunter2@localhost/x')).rejects.toMatchObject({ code: 'HR_CONFIG' });
    await expect(openDatabase('mysql://root:hunter2@localhost/x')).rejects.toThrow(/sqlite:PATH.*postgres:/);
  });

  it('never shows a password', async () => {
    for (const url of ['mysql://root:hunter2@localhost/x', 'postgres://root:hunter2@127.0.0.1:1/x?password=hunter2']) {
      const error = await openDatabase(url).catch((thrown: unknown) => thrown);
      expect(String(error)).not.toContain('hunter2');
    }
  });

  it('says that Postgres does not answer', async () => {
    const opening = openDatabase('postgres://headrace@127.0.0.1:1/x');
    await expect(opening).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
  });

  it('says that a file is no SQLite database', async () => {
    const opening = openDatabase(`sqlite:${import.meta.filename}`);
    await expect(opening).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
  });
});

async function runIncrements(url: string, times: number): Promise<void> {
  const script = new URL('../support/increment-counter.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, url, String(times)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const status = await new Promise((resolve) => child.once('exit', resolve));
  expect(status).toBe(0);
}
