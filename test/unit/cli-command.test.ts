// What a command is given: an app that may do what it asked for, whatever it asked for before, and none left open.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, readEnvironment } from '../../src/app/index.ts';
import { auditCommand } from '../../src/cli/audit.ts';
import { type CommandContext, defineCommand } from '../../src/cli/command.ts';
import { readOutcomeFile } from '../../src/cli/logs/read-outcome-file.ts';
import { checkOutputFile, writeOutputFile } from '../../src/cli/output-file.ts';
import { readEventFile } from '../../src/cli/read-event-file.ts';
import { type Json, silentProgress } from '../../src/core/index.ts';
import type { AuditRecord } from '../../src/registry/index.ts';
import { type DuckDb, openDuckDb, quoteText } from '../../src/storage/index.ts';
import { folderOfFile } from '../support/new-folder.ts';
import { fields, sourceOf, TYPES } from '../support/offline-world.ts';

async function run(work: (context: CommandContext) => Promise<void>): Promise<string[]> {
  const log: string[] = [];
  const run = async (context: CommandContext) => {
    await work(context);
    return { json: null, text: '' };
  };
  const define = defineCommand({ usage: 'try', summary: 'tries', example: 'headrace try', run });
  const command = define({
    environment: readEnvironment({}),
    stdout: () => {},
    stderr: () => {},
    progress: () => silentProgress,
    exitCode: 0,
    async openApp({ access }) {
      log.push(`open to ${access}`);
      // All that a command's end asks of it.
      return { close: async () => void log.push(`close ${access}`) } as unknown as App;
    },
  });
  await command.parseAsync([], { from: 'user' });
  return log;
}

it('opens an app once, and the writer for whoever reads after', async () => {
  const log = await run(async (context) => {
    const app = await context.app();
    expect(await context.app()).toBe(app);
    expect(await context.app('read')).toBe(app);
  });
  expect(log).toEqual(['open to write', 'close write']);
});

it('gives who writes after reading no app that refuses it, and closes both', async () => {
  const log = await run(async (context) => {
    const reader = await context.app('read');
    expect(await context.app('read')).toBe(reader);
    expect(await context.app('write')).not.toBe(reader);
  });
  expect(log).toEqual(['open to read', 'open to write', 'close write', 'close read']);
});

// What `headrace audit` says of changes that came to nothing, beside those that did not.
async function tableOf(changes: readonly Json[], args: readonly string[] = []): Promise<string> {
  const same = { atMicros: 0, actor: 'anonymous 127.0.0.1', action: 'endpoint.traffic', object: 'endpoint/delay' };
  const records = changes.map((after, at): AuditRecord => ({ ...same, id: at + 1, before: null, after, reason: null }));
  const auditLog = {
    list: async ({ limit, object }: { limit: number; object?: string }) =>
      records.filter((one) => object === undefined || one.object === object).slice(0, limit),
  };
  const printed: string[] = [];
  const command = auditCommand({
    environment: readEnvironment({}),
    stdout: (text) => printed.push(text),
    stderr: () => {},
    progress: () => silentProgress,
    exitCode: 0,
    // All that the command asks of it.
    openApp: async () => ({ registry: async () => ({ auditLog }), close: async () => {} }) as unknown as App,
  });
  await command.parseAsync(args, { from: 'user' });
  return printed.join('');
}

const FAILURES = [{ server: 'a:1', reason: 'HR_MODEL_SIGNATURE: no input x' }];

it('says why servers refused a change that failed, and nothing of one that went on without them', async () => {
  const failed = await tableOf([{ state: 'failed', failures: FAILURES }]);
  expect(failed).toContain('HR_NOT_PREPARED: a:1: HR_MODEL_SIGNATURE: no input x');
  for (const state of ['done', 'preparing'])
    expect(await tableOf([{ state, failures: FAILURES }])).not.toContain('a:1');
  expect(await tableOf([{ state: 'failed' }])).not.toContain('HR_NOT_PREPARED');
});

it('says what was refused when it was asked for, and how many refusals before it were not written', async () => {
  const refused = { refused: 'HR_FORBIDDEN', detail: 'no role' };
  expect(await tableOf([refused])).toMatch(/HR_FORBIDDEN: no role\s*$/m);
  expect(await tableOf([{ ...refused, untold: 7 }])).toContain('HR_FORBIDDEN: no role (and 7 before it that were not');
});

it('lists one object alone where it is named', async () => {
  expect(await tableOf([null], ['--object', 'endpoint/delay'])).toContain('endpoint.traffic');
  expect(await tableOf([null], ['--object', 'endpoint/other'])).toContain('Nothing is told of "endpoint/other"');
  expect(await tableOf([])).toContain('Nothing was changed yet.');
});

it('says that there are more rows only where there are', async () => {
  expect(await tableOf([null, null], ['--limit', '2'])).not.toContain('There are more');
  expect(await tableOf([null, null, null], ['--limit', '2'])).toContain('There are more rows than these 2');
});

describe('an output file', () => {
  const folder = folderOfFile();
  writeFileSync(join(folder, 'file'), 'as it was');
  mkdirSync(join(folder, 'folder'));

  const of = (...parts: string[]): string => join(folder, ...parts);

  it('may be new, or one that is there, which stays as it is until it is written', async () => {
    await checkOutputFile(of('new'));
    await checkOutputFile(of('file'));
    expect(readFileSync(of('file'), 'utf8')).toBe('as it was');
    await writeOutputFile(of('new'), 'written');
    expect(readFileSync(of('new'), 'utf8')).toBe('written');
  });

  it.each([
    ['where there is no folder', ['none', 'x'], 'there is no folder', 'Make it, or name a file elsewhere.'],
    ['under a file', ['file', 'x'], 'is a file, or lies under one', 'Name a file in a folder.'],
    ['as a folder', ['folder'], 'it is a folder', 'Name a file in it.'],
  ])('is refused %s', async (_, parts, why, what) => {
    const path = of(...parts);
    for (const ask of [() => checkOutputFile(path), () => writeOutputFile(path, 'written')]) {
      const error = await ask().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({
        code: 'HR_USAGE',
        message: expect.stringContaining(`${path} cannot be written: `),
      });
      expect(String(error)).toContain(why);
      expect(String(error)).toContain(what);
    }
  });

  it('may lie in folders that are made for it, but not under a file', async () => {
    await checkOutputFile(of('none', 'nor', 'x'), { makesFolders: true });
    await expect(checkOutputFile(of('file', 'nor', 'x'), { makesFolders: true })).rejects.toThrow('is a file');
  });
});

describe('files', () => {
  const directory = folderOfFile();
  let duckdb: DuckDb;
  beforeAll(async () => {
    duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), threads: 1 });
  });
  afterAll(() => duckdb.close());

  const open = async () => duckdb;
  const source = sourceOf(
    's',
    'x',
    fields({ id: TYPES.int64, x: TYPES.float64, raw: TYPES.bytes, at: TYPES.timestamp }),
  );

  function lines(...texts: readonly string[]): string {
    const path = join(directory, 'rows.JSONL');
    writeFileSync(path, texts.join('\n'));
    return path;
  }

  async function parquet(sql: string): Promise<string> {
    const path = join(directory, 'rows.parquet');
    const connection = await duckdb.connect();
    await connection.run(`COPY (${sql}) TO ${quoteText(path)} (FORMAT parquet)`);
    connection.closeSync();
    return path;
  }

  describe('a file of events', () => {
    it('is read line by line, without those that are empty, and a line that is no JSON is named', async () => {
      expect(await readEventFile(lines('{"id":9007199254740993}', '', ' ', '{"id":1}'), source, open)).toEqual([
        { id: 9_007_199_254_740_993n },
        { id: 1 },
      ]);
      await expect(readEventFile(lines('{}', '', '{'), source, open)).rejects.toThrow(/line 3: is not JSON/);
    });

    it('is read from Parquet as it would be pushed: the source’s columns alone, every digit, NaN and infinities by name', async () => {
      const path = await parquet(`SELECT * FROM (VALUES
      (9007199254740993::BIGINT, 'nan'::DOUBLE, '\\x01'::BLOB, TIMESTAMP '2026-01-02 03:04:05.678901', 1),
      (2, 'inf'::DOUBLE, NULL, NULL, 2), (3, '-inf'::DOUBLE, NULL, NULL, 3), (4, NULL, NULL, NULL, 4), (5, 0.5, NULL, NULL, 5)
    ) AS rows(id, x, raw, "at", other)`);
      const rows = (await readEventFile(path, source, open)) as Readonly<Record<string, unknown>>[];
      expect(rows[0]).toEqual({ id: 9_007_199_254_740_993n, x: 'NaN', raw: 'AQ==', at: '2026-01-02 03:04:05.678901' });
      expect(rows.map(({ x }) => x)).toEqual(['NaN', 'Infinity', '-Infinity', null, 0.5]);
    });

    it('is refused where it has none of the source’s columns, is not there, or ends otherwise', async () => {
      await expect(readEventFile(await parquet('SELECT 1 AS other'), source, open)).rejects.toThrow(
        /none of the columns/,
      );
      for (const name of ['no.parquet', 'no.jsonl'])
        await expect(readEventFile(join(directory, name), source, open)).rejects.toThrow(/there is no file/);
      await expect(readEventFile('rows.csv', source, open)).rejects.toMatchObject({ code: 'HR_USAGE' });
    });
  });

  describe('a file of outcomes', () => {
    const mistakesOf = async (...rows: readonly string[]): Promise<unknown> =>
      readOutcomeFile(lines(...rows), open).then(
        () => [],
        ({ details }: { details: readonly { path: string; message: string }[] }) => details.map(({ path }) => path),
      );

    it('has a value in each row, whatever else of the members', async () => {
      for (const good of ['7', '0.5', 'true', '"yes"', 'null', '9007199254740991'])
        expect(await mistakesOf(`{"prediction_id":"p","value":${good}}`), good).toEqual([]);
      for (const bad of ['{}', '[]', '9007199254740992', '1e400'])
        expect(await mistakesOf('{"value":1}', `{"value":${bad}}`), bad).toEqual(['outcomes[1].value']);
      expect(await mistakesOf('{"prediction_id":"p"}')).toEqual(['outcomes[0].value']);
    });

    it('has times and units that are some, and no other members', async () => {
      for (const unit of ['"u"', '7', 'true', '["u",7]'])
        expect(await mistakesOf(`{"value":1,"unit":${unit}}`)).toEqual([]);
      for (const unit of ['null', '[]', '[null]', '{}'])
        expect(await mistakesOf(`{"value":1,"unit":${unit}}`), unit).toEqual(['outcomes[0].unit']);
      for (const name of ['prediction_id', 'observed_at', 'at', 'from', 'within'])
        expect(await mistakesOf(`{"value":1,"${name}":""}`)).toEqual([`outcomes[0].${name}`]);
      const expected = ['outcomes[0].valeu', 'outcomes[1]', 'outcomes[2]'];
      expect(await mistakesOf('{"value":1,"valeu":1}', '3', 'null')).toEqual(expected);
    });

    it('is refused where it has none of the members, is not there, or ends otherwise', async () => {
      await expect(readOutcomeFile(await parquet('SELECT 1 AS other'), open)).rejects.toThrow(
        /none of the columns value/,
      );
      await expect(readOutcomeFile(join(directory, 'no.parquet'), open)).rejects.toThrow(/cannot be read/);
      await expect(readOutcomeFile('outcomes.csv', open)).rejects.toMatchObject({ code: 'HR_USAGE' });
    });

    it('is read from Parquet in its own order, a null as a member that is left out, but for the value', async () => {
      const path = await parquet(`SELECT * FROM (VALUES
      ('p', NULL, TIMESTAMPTZ '2026-01-02 03:04:05.5+01', 1), (NULL, 2, NULL, 2)) AS rows(prediction_id, value, observed_at, other)`);
      expect(await readOutcomeFile(path, open)).toEqual([
        { prediction_id: 'p', value: null, observed_at: '2026-01-02T02:04:05.500000Z' },
        { value: 2 },
      ]);
    });
  });
});
