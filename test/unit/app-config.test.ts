// Configuration: defaults, relative paths, the environment's overrides, and mistakes told all at once.

import { mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkConfig, loadConfig, readEnvironment } from '../../src/app/index.ts';
import { HeadraceError } from '../../src/core/index.ts';
import { createProject } from '../support/serving-project.ts';

const FILE = '/somewhere/project/headrace.config.ts';

function mistakes(written: unknown, environment: Record<string, string> = {}): { message: string; paths: string[] } {
  try {
    checkConfig(written, FILE, environment);
  } catch (thrown) {
    if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_CONFIG') throw thrown;
    return { message: thrown.message, paths: thrown.details.map((detail) => `${detail.path} ${detail.message}`) };
  }
  throw new Error('no mistake was found');
}

describe('a configuration', () => {
  it('needs only the project; the rest has defaults relative to its file', () => {
    const { values } = checkConfig({ project: 'p' }, FILE, {});
    expect(values).toMatchObject({
      project: 'p',
      repo: '/somewhere/project/feature_repo',
      'registry.url': 'sqlite:/somewhere/project/.headrace/registry.db',
      'online.url': 'lmdb:/somewhere/project/.headrace/online',
      'offline.engine': 'duckdb',
      'offline.path': '/somewhere/project/.headrace/offline',
      'offline.memory': 4e9,
      'artifacts.url': 'file:/somewhere/project/.headrace/artifacts',
      'server.host': '127.0.0.1',
      'server.port': 8080,
      'server.workers': 1,
    });
  });

  it('names the nearest known key for an unknown one, in every section, all at once', () => {
    const { paths } = mistakes({
      project: 'p',
      onlin: { url: 'x' },
      server: { prot: 1, workers: 2 },
      offline: { memry: '1GB' },
    });
    expect(paths).toEqual([
      'onlin is not a known key. Did you mean "online"?',
      'server.prot is not a known key. Did you mean "port"?',
      'offline.memry is not a known key. Did you mean "memory"?',
    ]);
  });

  it('says what is written in place of a setting that is gone, in the file and in the environment', () => {
    const told = 'is no setting any more. Write predictionLog.keep, which is the servers’ and gc’s alike';
    const written = { project: 'p', retention: { predictionLog: '30d' } };
    expect(mistakes(written, { HEADRACE_RETENTION_PREDICTION_LOG: '30d' }).paths).toEqual([
      `retention.predictionLog ${told}`,
      `HEADRACE_RETENTION_PREDICTION_LOG (retention.predictionLog) ${told}`,
    ]);
  });

  it('takes counts by names of the user’s own, in the file and from the environment', () => {
    const pools = (written: object, environment: Record<string, string> = {}): unknown =>
      checkConfig({ project: 'p', ...written }, FILE, environment).values['orchestrator.pools'];
    expect(pools({})).toBeUndefined();
    expect(pools({ orchestrator: { pools: { warehouse: 4, 'gpu-a': 1 } } })).toEqual({ warehouse: 4, 'gpu-a': 1 });
    const environment = { HEADRACE_ORCHESTRATOR_POOLS: 'warehouse=8, gpu=2' };
    expect(pools({ orchestrator: { pools: { warehouse: 4 } } }, environment)).toEqual({ warehouse: 8, gpu: 2 });
    for (const bad of [4, [4], 'warehouse', { warehouse: 0 }, { warehouse: 1.5 }, { 'the one': 1 }, 'a=1,a=2', 'a=x'])
      expect(() => pools({ orchestrator: { pools: bad } })).toThrow(
        /orchestrator\.pools expected names with whole numbers from 1 to 1000000, such as \{ warehouse: 4 \}/,
      );
  });

  it('takes execution providers of all models and by name, in the file and from the environment', () => {
    const providers = (models: object, environment: Record<string, string> = {}): unknown =>
      checkConfig({ project: 'p', models }, FILE, environment).values['models.providers'];
    expect(providers({})).toBeUndefined();
    expect(providers({ providers: ['cuda:1', 'cpu'] })).toEqual({ '*': ['cuda:1', 'cpu'] });
    expect(providers({ providers: { ranker: ['cuda', 'cpu'], '*': 'cpu' } })).toEqual({
      ranker: ['cuda', 'cpu'],
      '*': ['cpu'],
    });
    expect(providers({ providers: 'cpu' }, { HEADRACE_MODELS_PROVIDERS: 'cuda, cpu' })).toEqual({
      '*': ['cuda', 'cpu'],
    });
    expect(providers({}, { HEADRACE_MODELS_PROVIDERS: '{"ranker": ["cuda"]}' })).toEqual({ ranker: ['cuda'] });
    for (const bad of [4, [], [4], { '': ['cpu'] }, { ranker: [] }, { ranker: 4 }])
      expect(() => providers({ providers: bad })).toThrow(/models\.providers expected execution providers in order/);
    expect(() => providers({ providers: { ranker: ['gpu'] } })).toThrow(/ranker: "gpu" is no execution provider/);
    expect(() => providers({ providers: 'cpu,cuda' })).toThrow(/nothing comes after it/);
  });

  it.each([
    [{ project: 'p', server: { port: '80' } }, {}, undefined],
    [
      { project: 'p', server: { port: 65_536 } },
      {},
      'server.port expected a whole number from 0 to 65535, got number 65536',
    ],
    [
      { project: 'p', server: { workers: 0 } },
      {},
      'server.workers expected a whole number from 1 to 1024, got number 0',
    ],
    [
      { project: 'p', offline: { memory: 'lots' } },
      {},
      'offline.memory expected a size such as "4GB" or "512MiB", got string "lots"',
    ],
    [{ project: 'p', offline: { engine: 'spark' } }, {}, 'offline.engine expected "duckdb", got string "spark"'],
    [
      { project: 'p', telemetry: { sampleRatio: 1.5 } },
      {},
      'telemetry.sampleRatio expected a number from 0 to 1, got number 1.5',
    ],
    [
      { project: 'p' },
      { HEADRACE_TELEMETRY_SAMPLE_RATIO: '1e-3' },
      'HEADRACE_TELEMETRY_SAMPLE_RATIO (telemetry.sampleRatio) expected a number from 0 to 1, got string "1e-3"',
    ],
    [{ project: 'p', server: 8080 }, {}, 'server expected an object'],
    [
      { project: 'p', server: { bodyLimit: '2MB', maxInFlightBytes: '1MB' } },
      {},
      'server.maxInFlightBytes expected at least server.bodyLimit, 2000000 bytes, got 1000000',
    ],
    [
      { project: 'p', pushLog: { topic: 'pushed' } },
      {},
      'pushLog.brokers expected "env:NAME", the variable that holds the brokers’ address, got nothing',
    ],
    [
      { project: 'p', pushLog: { topic: 'pushed', brokers: 'kafka://user:hunter2@host' } },
      {},
      'pushLog.brokers expected "env:NAME", the variable that holds the brokers’ address, got a text that is none',
    ],
    [
      { project: 'p', pushLog: { topic: 'kafka:pushed', brokers: 'env:BROKERS' } },
      {},
      'pushLog.topic expected a topic’s name (letters, digits, . _ -), got string "kafka:pushed"',
    ],
    [{}, {}, 'project is missing'],
    [
      { project: 'a:b' },
      {},
      'project "a:b" is not a good name: use a letter (a to z, A to Z), then such letters, digits, underscores and hyphens',
    ],
    [
      { project: 'p' },
      { HEADRACE_SERVER_PORT: 'eighty' },
      'HEADRACE_SERVER_PORT (server.port) expected a whole number from 0 to 65535, got string "eighty"',
    ],
  ])('checks types: %j with %j', (written, environment, expected) => {
    if (expected === undefined) expect(checkConfig(written, FILE, environment).values['server.port']).toBe(80);
    else expect(mistakes(written, environment as Record<string, string>).paths).toContain(expected);
  });

  it('never repeats a url that may hold a password', () => {
    const { message } = mistakes({ project: 'p', online: { url: 'memcached://user:hunter2@host' } });
    expect(message).not.toContain('hunter2');
    expect(message).toContain('"memcached:"');
  });

  it.each(['lmdb:/data', 'redis://h', 'rediss://h', 'redis+cluster://a,b', 'rediss+cluster://ada:x@a:1,b:2/?x=1'])(
    'takes the online store %s',
    (url) => {
      expect(checkConfig({ project: 'p', online: { url } }, FILE, {}).values['online.url']).toBe(url);
    },
  );

  it('lets the environment win over the file, for every setting', () => {
    const { values } = checkConfig({ project: 'p', online: { url: 'lmdb:here' }, server: { port: 1 } }, FILE, {
      HEADRACE_ONLINE_URL: 'redis://127.0.0.1:6379',
      HEADRACE_SERVER_PORT: '9000',
      HEADRACE_PROJECT: 'other',
      HEADRACE_OFFLINE_MEMORY: '512MiB',
      HEADRACE_SERVER_GRPC_PORT: '9001',
      HEADRACE_REPO: 'elsewhere',
    });
    expect(values).toMatchObject({
      'online.url': 'redis://127.0.0.1:6379',
      'server.port': 9000,
      project: 'other',
      'offline.memory': 2 ** 29,
      'server.grpcPort': 9001,
      repo: '/somewhere/project/elsewhere',
    });
  });
});

describe('finding the configuration', () => {
  const project = createProject({
    'headrace.config.ts': `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'found' });\n`,
    'other.ts': `export default { project: 'other' };\n`,
    'broken.ts': `export default {`,
    'empty.ts': `export const x = 1;\n`,
  });
  afterAll(() => project.remove());

  it('looks in the working directory and its parents', async () => {
    const deep = join(project.directory, 'a', 'b');
    mkdirSync(deep, { recursive: true });
    const config = await loadConfig(undefined, deep, {});
    expect(config.values.project).toBe('found');
    expect(config.directory).toBe(project.directory);
  });

  it('takes the file that it is given, relative to the working directory', async () => {
    expect((await loadConfig('other.ts', project.directory, {})).values.project).toBe('other');
  });

  it.each(['missing.ts', 'broken.ts', 'empty.ts'])('says what is wrong with %s', async (file) => {
    await expect(loadConfig(file, project.directory, {})).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringContaining(file),
    });
  });
});

describe('who changes things', () => {
  it('is as told, else the user’s name, also where no variable says it', () => {
    expect(readEnvironment({ HEADRACE_ACTOR: 'ci', USER: 'ada', LOGNAME: 'bo' }).actor).toBe('ci');
    expect(readEnvironment({ USER: 'ada', LOGNAME: 'bo' }).actor).toBe('ada');
    expect(readEnvironment({ LOGNAME: 'bo' }).actor).toBe('bo');
    expect(readEnvironment({}).actor).toBe(userInfo().username);
  });

  it('is unknown where the system knows no name', () => {
    const fails = (): never => {
      throw new Error('uv_os_get_passwd returned ENOENT');
    };
    expect(readEnvironment({}, fails).actor).toBe('unknown');
    expect(readEnvironment({}, () => '').actor).toBe('unknown');
  });
});

describe('where the user stands', () => {
  it('is INIT_CWD only under the headrace script of npm', () => {
    expect(readEnvironment({ npm_lifecycle_event: 'headrace', INIT_CWD: '/home/ada' }).workingDirectory).toBe(
      '/home/ada',
    );
    expect(readEnvironment({ npm_lifecycle_event: 'test', INIT_CWD: '/home/ada' }).workingDirectory).toBe(
      process.cwd(),
    );
    expect(readEnvironment({ INIT_CWD: '/home/ada' }).workingDirectory).toBe(process.cwd());
  });
});
