// What is secret is neither kept nor shown: connections in definitions, and URLs in plans, errors and logs.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkConfig } from '../../src/app/index.ts';
import { fixedClock, toHeadraceError, withoutKeySecrets } from '../../src/core/index.ts';
import type { Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { t } from '../../src/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { newKeyToken, writeKeyToken } from '../../src/registry/key-token.ts';
import { openDatabase, openObjectStore, withoutPassword } from '../../src/storage/index.ts';
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
    const told =
      "features.ts: source \"orders\": `connection` must name an environment variable that holds the database's URL: write connection: 'env:ORDERS_URL'";
    for (const kind of ['postgres', 'mysql', 'snowflake'])
      expect(mistakesOf(database(kind, connection))).toEqual([told]);
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
  const openDefinitions = async () => {
    const database = await openDatabase('sqlite::memory:');
    onTestFinished(() => database.close());
    return (await openRegistry(database, fixedClock(0))).definitions;
  };

  it.each([
    ['becomes a name', holding(orders), holding(named)],
    ['becomes another', holding(orders), holding(other)],
    ['comes', emptyManifest, holding(orders)],
    ['goes', holding(orders), emptyManifest],
    ['stays beside another change', holding(orders), holding({ ...orders, description: 'Orders' })],
  ])('shows none of it in plan and apply where it %s', async (_, before, after) => {
    const definitions = await openDefinitions();
    await definitions.apply(before, { actor: 'ann' });
    const plan = await definitions.plan(after);
    expect(plan.changes).toHaveLength(1);
    const applied = await definitions.apply(after, { actor: 'ann', expectedRevision: plan.baseRevision });
    expect(applied.changes).toEqual(plan.changes);
    expect(JSON.stringify(plan)).not.toContain(SECRET);
    expect((await definitions.current())?.manifest).toEqual(after);
  });

  it('still shows that it changed, and where it leads', async () => {
    const definitions = await openDefinitions();
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
    const scheme = fc.constantFrom('postgres', 'redis', 'rediss', 'redis+cluster', 'mysql');
    fc.assert(
      fc.property(password, scheme, (word, of) => {
        const inQuery = [`password=${word}`, `password=${encodeURIComponent(word)}&x=a@b`];
        const urls = [`ada:${word}@host:1/db`, `:${word}@host:1/db?x=1`, ...inQuery.map((text) => `host/db?${text}`)];
        for (const url of [...urls.map((rest) => `${of}://${rest}`), word])
          expect(withoutPassword(url)).not.toContain('s3cret');
      }),
      { numRuns: 1000 },
    );
  });
});

describe('what goes wrong with a URL that holds a secret', () => {
  const configured = (written: object, environment: Readonly<Record<string, string>> = {}) =>
    checkConfig({ project: 'p', ...written }, '/p/headrace.config.ts', environment);
  const cases: readonly (readonly [string, () => unknown])[] = [
    ['a scheme that is no database', () => openDatabase(`oracle://ada:${SECRET}@127.0.0.1:1/d`)],
    ['a database without a scheme', () => openDatabase(`host=127.0.0.1 password=${SECRET}`)],
    ['a database that is not there', () => openDatabase(`postgres://ada:${SECRET}@127.0.0.1:1/d`)],
    ['a database that is not there, in its query', () => openDatabase(`postgres://127.0.0.1:1/d?password=${SECRET}`)],
    ['a database whose URL does not parse', () => openDatabase(`postgres://ada:${SECRET}@127.0.0.1:port/d`)],
    ['a database with a bare % in its password', () => openDatabase(`postgres://ada:${SECRET}%@127.0.0.1:1/d`)],
    ['a database with a slash in its password', () => openDatabase(`postgres://ada:${SECRET}/x@127.0.0.1:1/d`)],
    ['a database of another scheme, in its query', () => openDatabase(`oracle://h/d?password=${SECRET}`)],
    ['a scheme that is no object store', () => openObjectStore(`gs://ada:${SECRET}@bucket`)],
    ['an object store whose URL does not parse', () => openObjectStore(`s3://key:${SECRET}@bucket:port/x`)],
    ['an object store with its keys in the URL', () => openObjectStore(`s3://key:${SECRET}@bucket/x`)],
    ['a setting of another scheme', () => configured({ online: { url: `memcached://ada:${SECRET}@h` } })],
    ['a setting without a scheme', () => configured({}, { HEADRACE_REGISTRY_URL: `ada:${SECRET}@host` })],
    ['a setting that begins with the secret', () => configured({}, { HEADRACE_REGISTRY_URL: `${SECRET}:x` })],
    ['a setting that is no text', () => configured({ registry: { url: { password: SECRET } } })],
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

// The log as it is written: what failed is told with its words and where it was thrown, and with what caused it.
const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

const SCRIPT = `
  const { createLogger } = await import(${JSON.stringify(source('app/logger.ts'))});
  const { createRequestLog } = await import(${JSON.stringify(source('serving/http/request-log.ts'))});
  const { toHeadraceError } = await import(${JSON.stringify(source('core/index.ts'))});
  function giveWay() { throw new TypeError('the floor gave way'); }
  const asked = { requestId: 'seen', traceId: null, method: 'GET', route: '/v1/status' };
  const log = createRequestLog(createLogger('info'), 'errors', () => {});
  try { giveWay(); } catch (thrown) { log.failed(() => asked, toHeadraceError(thrown)); }
`;

it('has what a 500 is about: its message and the stack of what was thrown', () => {
  const { stderr } = spawnSync(
    process.execPath,
    ['--conditions=headrace-source', '--input-type=module', '--eval', SCRIPT],
    { encoding: 'utf8' },
  );
  const line = stderr.split('\n').find((text) => text.includes('request failed'));
  expect(JSON.parse(line ?? expect.fail(stderr))).toMatchObject({
    level: 'error',
    msg: 'request failed',
    requestId: 'seen',
    status: 500,
    code: 'HR_INTERNAL',
    err: { message: 'the floor gave way', cause: { type: 'TypeError', stack: expect.stringContaining('giveWay') } },
  });
});
