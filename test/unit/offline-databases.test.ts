// Parts of sources in databases that need no server: names of tables, secrets in texts, files of rows, proposals.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HeadraceError, silentLogger } from '../../src/core/index.ts';
import { tableParts } from '../../src/definitions/index.ts';
import { proposeDefinition } from '../../src/offline/index.ts';
import { redacted, shownPlace } from '../../src/offline/sources/databases/connection-url.ts';
import { DatabaseTrouble, type TroubleKind } from '../../src/offline/sources/databases/database-trouble.ts';
import type { DatabaseSession } from '../../src/offline/sources/databases/database.ts';
import { inSession } from '../../src/offline/sources/databases/in-session.ts';
import { pinDatabase } from '../../src/offline/sources/databases/pin-database.ts';
import { ALL_EVENTS } from '../../src/offline/sources/event-range.ts';
import { RowFile } from '../../src/offline/sources/databases/row-file.ts';
import { DATABASES } from '../../src/offline/sources/databases/databases.ts';
import { sourceOf, TYPES, fields, worldOfEach } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { skipBecause } from '../support/skips.ts';

describe('a table’s name', () => {
  it.each([
    ['orders', ['orders']],
    ['sales.orders', ['sales', 'orders']],
    ['"my.schema"."Big ""Table"""', ['my.schema', 'Big "Table"']],
    ['db.sales.größe_1$', ['db', 'sales', 'größe_1$']],
    ...['', '.', 'a.', '.a', 'a..b', 'a.b.c.d', '"a', 'a"b', 'select 1', 'a;b', "a'b", '""', 'a`b'].map(
      (bad): [string, undefined] => [bad, undefined],
    ),
  ])('%s is taken apart at its dots, but not at those in quotes, into %j', (text, parts) => {
    expect(tableParts(text)?.map(({ name }) => name)).toEqual(parts);
  });

  it('gives any parts back that were quoted', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 1, maxLength: 3 }), (parts) => {
        const text = parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
        expect(tableParts(text)?.map(({ name }) => name)).toEqual(parts);
      }),
    );
  });
});

describe('the URL of a database', () => {
  it('gets into no text with its password, however that is written', () => {
    const password = fc.string({ minLength: 6, unit: 'grapheme-ascii' }).filter((text) => /^[^\s*]+$/.test(text));
    const parameters = fc.constantFrom('', 'sslrootcert=/home/me@work/root.pem');
    fc.assert(
      fc.property(password, fc.boolean(), parameters, (secret, isQuery, more) => {
        const encoded = encodeURIComponent(secret);
        const url = isQuery ? `me@host/db?password=${encoded}&${more}` : `me:${encoded}@host:5432/db?${more}`;
        for (const told of [`bad postgres://${url}!`, `no "${secret}" here`, `at ${encoded}:`]) {
          const shown = redacted(told, `postgres://${url}`);
          expect(shown).not.toContain(secret);
          expect(shown).not.toContain(encoded);
        }
      }),
    );
    expect(shownPlace('postgres://me:secret@host:5432/db?sslmode=verify-full')).toBe('postgres://host:5432/db');
    expect(shownPlace('postgres://me:se/cret@host:5432/db')).not.toContain('cret');
  });
});

describe('a session of a database', () => {
  /** Works until it has gone wrong as often as there are kinds, each time in a session of its own. */
  const work = async (...kinds: readonly TroubleKind[]) => {
    const close = vi.fn(() => Promise.resolve());
    const open = vi.fn(() => Promise.resolve({ close } as unknown as DatabaseSession));
    const remote = { databases: { backoffMs: 1 } };
    let tries = 0;
    const once = async () => {
      const kind = kinds[tries++];
      if (kind !== undefined) throw new DatabaseTrouble(kind, 'no hunter2 here');
      return 'rows';
    };
    const driver = { ...DATABASES.postgres, open };
    const deps = { remote, logger: silentLogger };
    const done = inSession('postgres://me:hunter2@host/db', 'source "s"', driver, deps, once);
    const result = await done.catch((thrown: unknown) => thrown);
    // Each is closed, whatever came of it.
    expect([open.mock.calls.length, close.mock.calls.length]).toEqual([tries, tries]);
    return { result, tries };
  };

  it('that is lost begins again from the start, three times', async () => {
    expect(await work('lost', 'lost', 'lost')).toEqual({ result: 'rows', tries: 4 });
    const { result, tries } = await work('lost', 'lost', 'lost', 'lost');
    expect(tries).toBe(4);
    expect(result).toMatchObject({ code: 'HR_SOURCE_UNAVAILABLE', message: expect.stringContaining('; 4 attempts') });
    expect(String(result)).not.toContain('hunter2');
  });

  it.each([
    ['silent', 'HR_SOURCE_UNAVAILABLE', /so it was given up/],
    ['refused', 'HR_CONFIG', /refuses us/],
    ['missing', 'HR_SOURCE_UNREADABLE', /host\/db: no \*\*\* here/],
    ['failed', 'HR_SOURCE_UNREADABLE', /give its rows/],
  ] as const)('that is %s is not tried again', async (kind, code, message) => {
    const { result, tries } = await work(kind);
    expect(tries).toBe(1);
    expect(result).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('a file of rows', () => {
  const world = worldOfEach();

  it('is a line a row, in the form of COPY', async () => {
    const path = world.path('rows');
    const file = new RowFile(path);
    file.add(['gone']);
    file.clear();
    file.add(['a\tb', null, '\\N', '']);
    file.addLine(Buffer.from('1\t2\t3\t4\n'));
    file.relation(4);
    expect(readFileSync(path, 'utf8')).toBe('a\\tb\t\\N\t\\\\N\t\n1\t2\t3\t4\n');
    expect(file.rows).toBe(2);
    await file.remove();
  });

  it('says that the disk is full', { timeout: 30_000 }, async () => {
    const disk = mountSmallDisk(2);
    if (disk === undefined) return skipBecause('a source of a database on a full disk: this user may not mount one');
    onTestFinished(() => disk.remove());
    const wireAs = () => ({ sql: 'v', form: 'text' as const });
    const column = { name: 'v', type: 'text', suggested: TYPES.string, wireAs, momentSql: () => undefined };
    const session: DatabaseSession = {
      describe: async () => [column],
      async read(_: string, file: RowFile) {
        for (let i = 0; i < 10_000; i++) file.add(['x'.repeat(1000), '-']);
      },
      tables: async () => [],
      close: async () => {},
    };
    const driver = { ...DATABASES.postgres, open: async () => session };
    const location = { connection: 'env:X', table: 't' };
    const source = sourceOf('s', '', fields({ v: TYPES.string }), { kind: 'postgres', location });
    const deps = { ...world.deps, dataDirectory: disk.path, remote: { variable: () => 'postgres://host/db' } };
    expect(await refused(pinDatabase(source, driver, ALL_EVENTS, deps), 'HR_STORAGE_FULL')).toBeInstanceOf(
      HeadraceError,
    );
    return undefined;
  });
});

describe('a proposed definition', () => {
  const place = (names: readonly string[], path = 's3://b/events/*.parquet') => {
    const columns = names.map((name) => ({ name, type: 'TIMESTAMP', suggested: TYPES.timestamp }));
    return proposeDefinition({ kind: 'parquet', location: { path }, columns, notes: [] });
  };

  it.each([
    [['updated_at', 'created_at'], 'created_at'],
    [['loaded_at', 'ordered_at', 'event_time'], 'event_time'],
    [['inserted', 'ts'], 'ts'],
    [['ingested_at'], 'ingested_at'],
    [[], null],
  ])('of %j takes for the event time what sounds like one, and not when a row was written', (names, eventTime) => {
    expect(place(names).eventTime).toBe(eventTime);
  });

  it('is named by its place, in names that TypeScript and Headrace take', () => {
    const named = (path: string) => place(['at'], path).name;
    expect(named('s3://bucket/Shop Events/dt=*/*.parquet')).toBe('shop_events');
    expect(named('../data/2024-orders.parquet')).toBe('orders');
    expect(named('*.parquet')).toBe('rows');
    expect(place(['at'], 'class.parquet').definition).toContain('export const classSource = parquet(');
    expect(place(["it's"]).definition).toContain("'it\\'s': t.timestamp()");
  });
});
