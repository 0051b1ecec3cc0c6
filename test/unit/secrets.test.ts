// What is secret is neither kept nor shown: connections in definitions, and URLs in plans, errors and logs.

import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { checkConfig } from '../../src/app/index.ts';
import { fixedClock, toHeadraceError, withoutKeySecrets } from '../../src/core/index.ts';
import type { Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { newKeyToken, writeKeyToken } from '../../src/registry/key-token.ts';
import { type Database, openDatabase, openObjectStore, withoutPassword } from '../../src/storage/index.ts';
import { t } from '../../src/index.ts';
import { emptyManifest } from '../support/manifests.ts';
import { compile, loose, mistakesOf } from '../support/written-definitions.ts';

const SECRET = 'hunter2';

/** Everything of an error that a log or a user could see: itself, its members, and its causes. */
function allOf(thrown: unknown): string {
  const seen: string[] = [];
  for (let error = thrown; error instanceof Error; error = error.cause) {
    seen.push(error.message, error.stack ?? '', JSON.stringify(error), JSON.stringify(Object.entries(error)));
  }
  return seen.join('\n');
}

async function errorOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (thrown) {
    return allOf(toHeadraceError(thrown));
  }
  throw new Error('nothing was thrown');
}

describe('the connection of a source', () => {
  const database = (kind: string, connection: unknown): Readonly<Record<string, unknown>> => ({
    orders: loose[kind]('orders', { connection, table: 'orders', columns: { at: t.timestamp() }, eventTime: 'at' }),
  });

  it.each(['postgres', 'mysql', 'snowflake'])('of %s is named by its environment variable', (kind) => {
    const { manifest } = compile(database(kind, 'env:ORDERS_URL'));
    expect(manifest.sources['orders']?.location).toEqual({ connection: 'env:ORDERS_URL', table: 'orders' });
  });

  it.each([
    `postgres://ada:${SECRET}@db/orders`,
    `postgres://db/orders?password=${SECRET}`,
    `host=db user=ada password=${SECRET}`,
    SECRET,
    `env:${SECRET}!`,
    `env: ${SECRET}`,
    `ENV:${SECRET}`,
    'env:',
    '',
    7,
  ])('is refused when it is %j, which is never repeated', (connection) => {
    for (const kind of ['postgres', 'mysql', 'snowflake']) {
      const mistakes = mistakesOf(database(kind, connection));
      expect(mistakes).toEqual([
        "features.ts: source \"orders\": `connection` must name an environment variable that holds the database's URL: write connection: 'env:ORDERS_URL'",
      ]);
    }
  });
});

describe('a registry that still holds a connection with its password', () => {
  const orders: SourceSpec = {
    name: 'orders',
    kind: 'postgres',
    location: { connection: `postgres://ada:${SECRET}@db/orders`, table: 'orders' },
    columns: [{ name: 'at', type: { kind: 'timestamp' } }],
    derive: [],
    eventTime: 'at',
    knownTime: { kind: 'column', column: 'at' },
    pushes: 'until-materialized',
  };
  const holding = (source: SourceSpec): Manifest => ({ ...emptyManifest, sources: { orders: source } });
  const named: SourceSpec = { ...orders, location: { connection: 'env:ORDERS_URL', table: 'orders' } };
  const other: SourceSpec = { ...orders, location: { connection: `host=db password=${SECRET}9`, table: 'orders' } };
  let database: Database | undefined;
  afterEach(() => database?.close());

  it.each([
    ['becomes a name', holding(orders), holding(named)],
    ['becomes another', holding(orders), holding(other)],
    ['comes', emptyManifest, holding(orders)],
    ['goes', holding(orders), emptyManifest],
    ['stays beside another change', holding(orders), holding({ ...orders, description: 'Orders' })],
  ])('shows none of it in plan and apply where it %s', async (_, before, after) => {
    database = await openDatabase('sqlite::memory:');
    const { definitions } = await openRegistry(database, fixedClock(0));
    await definitions.apply(before, { actor: 'ann' });
    const plan = await definitions.plan(after);
    expect(plan.changes).toHaveLength(1);
    const applied = await definitions.apply(after, { actor: 'ann', expectedRevision: plan.baseRevision });
    expect(applied.changes).toEqual(plan.changes);
    expect(JSON.stringify(plan)).not.toContain(SECRET);
    const { manifest } = (await definitions.current()) ?? { manifest: undefined };
    expect(manifest).toEqual(after);
  });

  it('still shows that it changed, and where it leads', async () => {
    database = await openDatabase('sqlite::memory:');
    const { definitions } = await openRegistry(database, fixedClock(0));
    await definitions.apply(holding(orders), { actor: 'ann' });
    expect((await definitions.plan(holding(named))).changes[0]?.detail).toEqual([
      'location.connection: "postgres://ada:***@db/orders" → "env:ORDERS_URL"',
    ]);
    const turned = { ...orders, location: { ...orders.location, connection: 'postgres://ada:other@db/orders' } };
    expect((await definitions.plan(holding(turned))).changes[0]?.detail).toEqual([
      'location.connection: "postgres://ada:***@db/orders" (what is hidden of it differs)',
    ]);
  });
});

describe('a URL as it is shown', () => {
  it.each([
    ['postgres://ada@db:5432/orders', 'postgres://ada@db:5432/orders'],
    ['postgres://ada:hunter2@db:5432/orders', 'postgres://ada:***@db:5432/orders'],
    ['redis://:hunter2@cache', 'redis://:***@cache'],
    ['redis+cluster://ada:hunter2@a:1,b:2,c:3', 'redis+cluster://ada:***@a:1,b:2,c:3'],
    ['s3://bucket/prefix?endpoint=http://k:hunter2@host', 's3://***'],
    ['s3://bucket/prefix?secret=hunter2', 's3://bucket/prefix?***'],
    ['postgres://ada:hun@ter2@db/orders', 'postgres://ada:***@db/orders'],
    ['postgres://ada:12/hunter2@db/orders', 'postgres://***'],
    ['postgres://ada:12?hunter2@db/orders', 'postgres://***'],
    ['postgres://ada:12#hunter2@db/orders', 'postgres://***'],
    ['postgres://db/orders#hunter2', 'postgres://db/orders#***'],
    ['host=db password=hunter2', '***'],
    ['hunter2', '***'],
    ['', '***'],
  ])('%j is %j', (url, shown) => {
    expect(withoutPassword(url)).toBe(shown);
  });

  it('never holds the password, whatever is in it', () => {
    const password = fc
      .array(fc.oneof(fc.nat().map(String), fc.constantFrom(...'/?#@:%&\\ .'), fc.string({ unit: 'binary' })))
      .map((parts) => `${parts.join('')}s3cret`);
    fc.assert(
      fc.property(
        password,
        fc.constantFrom('postgres', 'redis', 'rediss', 'redis+cluster', 'mysql'),
        (word, scheme) => {
          for (const url of [
            `${scheme}://ada:${word}@host:1/db`,
            `${scheme}://:${word}@host:1/db?x=1`,
            `${scheme}://host/db?password=${word}`,
            `${scheme}://host/db?password=${encodeURIComponent(word)}&x=a@b`,
            word,
          ]) {
            expect(withoutPassword(url)).not.toContain('s3cret');
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('what goes wrong with a URL that holds a secret', () => {
  const cases: readonly (readonly [string, () => unknown])[] = [
    ['a scheme that is no database', () => openDatabase(`oracle://ada:${SECRET}@127.0.0.1:1/d`)],
    ['a database without a scheme', () => openDatabase(`host=127.0.0.1 password=${SECRET}`)],
    ['a database that is not there', () => openDatabase(`postgres://ada:${SECRET}@127.0.0.1:1/d`)],
    ['a database whose URL does not parse', () => openDatabase(`postgres://ada:${SECRET}@127.0.0.1:port/d`)],
    ['a database with a bare % in its password', () => openDatabase(`postgres://ada:${SECRET}%@127.0.0.1:1/d`)],
    ['a database with a slash in its password', () => openDatabase(`postgres://ada:${SECRET}/x@127.0.0.1:1/d`)],
    [
      'a database of another scheme with its password in the query',
      () => openDatabase(`oracle://h/d?password=${SECRET}`),
    ],
    ['a scheme that is no object store', () => openObjectStore(`gs://ada:${SECRET}@bucket`)],
    ['an object store whose URL does not parse', () => openObjectStore(`s3://key:${SECRET}@bucket:port/x`)],
    ['an object store with its keys in the URL', () => openObjectStore(`s3://key:${SECRET}@bucket/x`)],
    [
      'a setting of another scheme',
      () => checkConfig({ project: 'p', online: { url: `memcached://ada:${SECRET}@h` } }, '/p/headrace.config.ts', {}),
    ],
    [
      'a setting without a scheme',
      () => checkConfig({ project: 'p' }, '/p/headrace.config.ts', { HEADRACE_REGISTRY_URL: `ada:${SECRET}@host` }),
    ],
    [
      'a setting that begins with the secret',
      () => checkConfig({ project: 'p' }, '/p/headrace.config.ts', { HEADRACE_REGISTRY_URL: `${SECRET}:x` }),
    ],
    [
      'a setting that is no text',
      () => checkConfig({ project: 'p', registry: { url: { password: SECRET } } }, '/p/headrace.config.ts', {}),
    ],
  ];
  it.each(cases)('is told without it: %s', async (_, work) => {
    expect(await errorOf(work)).not.toContain(SECRET);
  });
});

describe('the log', () => {
  it('tells errors by their words, without what clients hang on them', () => {
    const logger = new URL('../../src/app/logger.ts', import.meta.url).href;
    const script = `
      const { createLogger } = await import(${JSON.stringify(logger)});
      const log = createLogger('info');
      const refused = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['hunter' + 2] } });
      log.error({ err: refused }, 'one');
      log.error({ err: new Error('no answer', { cause: refused }) }, 'two');
      log.error({ err: Object.assign(new TypeError('Invalid URL'), { code: 'ERR_INVALID_URL', input: 'hunter' + 2 }) }, 'three');
      log.error({ registry: { url: 'hunter' + 2 }, source: { connection: 'hunter' + 2 } }, 'four');`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    for (const word of ['WRONGPASS', 'no answer', 'ERR_INVALID_URL', 'four']) expect(stderr).toContain(word);
    expect(stderr).not.toContain(SECRET);
  });
});

describe('an API key in a text', () => {
  it('leaves its id, wherever and however often it stands there', () => {
    const word = fc.string({ maxLength: 8 }).filter((text) => !text.includes('hr_'));
    fc.assert(
      fc.property(fc.array(word, { minLength: 2, maxLength: 4 }), (words) => {
        const token = newKeyToken();
        expect(withoutKeySecrets(words.join(writeKeyToken(token)))).toBe(words.join(`hr_${token.id}`));
      }),
    );
  });

  it('is not what is named alike', () => {
    for (const name of ['hr_department_stats', 'hr_4k2j9x0qzt', 'hr_department_average_salary_30d', 'hr__', ''])
      expect(withoutKeySecrets(name)).toBe(name);
  });
});
