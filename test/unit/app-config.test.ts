// Configuration: defaults, relative paths, the environment's overrides, and mistakes told all at once.

import { mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkConfig, loadConfig, readEnvironment } from '../../src/app/index.ts';
import { checkHost, isLoopback } from '../../src/app/loopback.ts';
import { providersOf } from '../../src/app/model-providers.ts';
import { describeSetting, parseSetting } from '../../src/app/parse-setting.ts';
import { SETTINGS } from '../../src/app/settings.ts';
import type { Setting } from '../../src/app/settings/setting.ts';
import { portsOf } from '../../src/app/start-server.ts';
import { telemetrySettings } from '../../src/app/telemetry/telemetry-settings.ts';
import { HeadraceError, type Logger, silentLogger } from '../../src/core/index.ts';
import type { HeadraceConfig } from '../../src/index.ts';
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
    const folder = '/somewhere/project';
    expect(values).toMatchObject({
      project: 'p',
      repo: `${folder}/feature_repo`,
      'registry.url': `sqlite:${folder}/.headrace/registry.db`,
      'online.url': `lmdb:${folder}/.headrace/online`,
      'offline.engine': 'duckdb',
      'offline.path': `${folder}/.headrace/offline`,
      'offline.memory': 4e9,
      'artifacts.url': `file:${folder}/.headrace/artifacts`,
      'server.host': '127.0.0.1',
      'server.port': 8080,
      'server.workers': 1,
    });
  });

  it('names the nearest known key for an unknown one, in every section, all at once', () => {
    const written = { onlin: { url: 'x' }, server: { prot: 1, workers: 2 }, offline: { memry: '1GB' } };
    const { paths } = mistakes({ project: 'p', ...written });
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
    const both = ['cuda', 'cpu'];
    expect(providers({ providers: { ranker: both, '*': 'cpu' } })).toEqual({ ranker: both, '*': ['cpu'] });
    expect(providers({ providers: 'cpu' }, { HEADRACE_MODELS_PROVIDERS: 'cuda, cpu' })).toEqual({ '*': both });
    expect(providers({}, { HEADRACE_MODELS_PROVIDERS: '{"ranker": ["cuda"]}' })).toEqual({ ranker: ['cuda'] });
    for (const bad of [4, [], [4], { '': ['cpu'] }, { ranker: [] }, { ranker: 4 }])
      expect(() => providers({ providers: bad })).toThrow(/models\.providers expected execution providers in order/);
    expect(() => providers({ providers: { ranker: ['gpu'] } })).toThrow(/ranker: "gpu" is no execution provider/);
    expect(() => providers({ providers: 'cpu,cuda' })).toThrow(/nothing comes after it/);
  });

  const brokers = 'pushLog.brokers expected "env:NAME", the variable that holds the brokers’ address, got';
  const ratio = 'expected a number from 0 to 1, got';
  const limits = { bodyLimit: '2MB', maxInFlightBytes: '1MB' };
  const pushed = (topic: string, of?: string) => ({ pushLog: { topic, brokers: of } });
  it.each<[written: object, expected: string, environment?: Record<string, string>]>([
    [{ server: { port: 65_536 } }, 'server.port expected a whole number from 0 to 65535, got number 65536'],
    [{ server: { workers: 0 } }, 'server.workers expected a whole number from 1 to 1024, got number 0'],
    [{ offline: { memory: 'lots' } }, 'offline.memory expected a size such as "4GB" or "512MiB", got string "lots"'],
    [{ offline: { engine: 'spark' } }, 'offline.engine expected "duckdb", got string "spark"'],
    [{ telemetry: { sampleRatio: 1.5 } }, `telemetry.sampleRatio ${ratio} number 1.5`],
    [
      {},
      `HEADRACE_TELEMETRY_SAMPLE_RATIO (telemetry.sampleRatio) ${ratio} string "1e-3"`,
      { HEADRACE_TELEMETRY_SAMPLE_RATIO: '1e-3' },
    ],
    [{ server: 8080 }, 'server expected an object'],
    [{ server: limits }, 'server.maxInFlightBytes expected at least server.bodyLimit, 2000000 bytes, got 1000000'],
    [pushed('pushed'), `${brokers} nothing`],
    [pushed('pushed', 'kafka://user:hunter2@host'), `${brokers} a text that is none`],
    [
      pushed('kafka:pushed', 'env:BROKERS'),
      'pushLog.topic expected a topic’s name (letters, digits, . _ -), got string "kafka:pushed"',
    ],
    [{ project: undefined }, 'project is missing'],
    [
      { project: 'a:b' },
      'project "a:b" is not a good name: use a letter (a to z, A to Z), then such letters, digits, underscores and hyphens',
    ],
    [
      {},
      'HEADRACE_SERVER_PORT (server.port) expected a whole number from 0 to 65535, got string "eighty"',
      { HEADRACE_SERVER_PORT: 'eighty' },
    ],
  ])('checks types: %j', (written, expected, environment) => {
    expect(mistakes({ project: 'p', ...written }, environment).paths).toContain(expected);
  });

  it('takes a number that is written as text', () => {
    expect(checkConfig({ project: 'p', server: { port: '80' } }, FILE, {}).values['server.port']).toBe(80);
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
    const written = { project: 'p', online: { url: 'lmdb:here' }, server: { port: 1 } };
    const settings = [
      ['ONLINE_URL', 'redis://127.0.0.1:6379', 'online.url'],
      ['SERVER_PORT', '9000', 'server.port', 9000],
      ['PROJECT', 'other', 'project'],
      ['OFFLINE_MEMORY', '512MiB', 'offline.memory', 2 ** 29],
      ['SERVER_GRPC_PORT', '9001', 'server.grpcPort', 9001],
      ['REPO', 'elsewhere', 'repo', '/somewhere/project/elsewhere'],
    ] as const;
    const environment = Object.fromEntries(settings.map(([name, value]) => [`HEADRACE_${name}`, value]));
    const expected = Object.fromEntries(settings.map(([, text, key, value = text]) => [key, value]));
    expect(checkConfig(written, FILE, environment).values).toMatchObject(expected);
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
    const expected = { code: 'HR_CONFIG', message: expect.stringContaining(file) };
    await expect(loadConfig(file, project.directory, {})).rejects.toMatchObject(expected);
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

it('the user stands in INIT_CWD only under the headrace script of npm', () => {
  const folder = (npm_lifecycle_event?: string) =>
    readEnvironment({ ...(npm_lifecycle_event && { npm_lifecycle_event }), INIT_CWD: '/home/ada' }).workingDirectory;
  expect([folder('headrace'), folder('test'), folder()]).toEqual(['/home/ada', process.cwd(), process.cwd()]);
});

// One setting's value, as a file or the environment has it, at its bounds.
const REFUSED = 'refused';
// As much of a setting as is looked at.
const parse = (setting: object, raw: unknown): unknown => {
  const parsed = parseSetting(setting as Setting, raw, '/project');
  return 'value' in parsed ? parsed.value : REFUSED;
};

const STORE = { kind: 'url', schemes: ['sqlite', 'postgres'] };
const none = (...raws: readonly unknown[]) => raws.map((raw) => [raw, REFUSED] as const);

describe('a value', () => {
  // Rows of what is given, and what is taken for it where that is something else.
  it.each<[string, object, readonly (readonly [raw: unknown, value?: unknown])[]]>([
    ['is a whole number', { kind: 'integer', min: 2, max: 9 }, [[2], ['9', 9], ...none(1, 10, 2.5, '2.5', '', true)]],
    ['is a whole number of any size', { kind: 'integer' }, [[0], [2 ** 53 - 1], ...none(-1, 2 ** 53)]],
    ['is a ratio', { kind: 'ratio' }, [[0], [1], ['.5', 0.5], ['0.5', 0.5], ...none(1.01, -0.01, '1.', NaN)]],
    ['is true', { kind: 'boolean' }, [[true], ['true', true], ['1', true], ...none(1, 'yes')]],
    ['is false', { kind: 'boolean' }, [[false], ['false', false], ['0', false]]],
    ['is a size', { kind: 'size' }, [[7], ['7', 7], ['2KB', 2000], ['2 kib', 2048], ['1.5MiB', 1_572_864]]],
    ['is a size, or none', { kind: 'size' }, [['1TiB', 2 ** 40], ...none('-1', '1PB', '1iB', true)]],
    ['is a duration', { kind: 'duration', min: 1_000_000 }, [['1s', 1_000_000], ...none('999ms', '', 1_000_000)]],
    ['is one of a few', { kind: 'choice', choices: ['a', 'b'] }, [['a'], ...none('c', ' ')]],
    ['is a path', { kind: 'path' }, [['x/y', '/project/x/y'], ['/x'], ...none(' ', 7)]],
    ['is a text', { kind: 'text' }, [['x'], ...none(' ', 7)]],
    ['counts by name', { kind: 'counts' }, [[{ gpu: 1 }], ['gpu = 2, w=1000000', { gpu: 2, w: 1_000_000 }], [{}]]],
    ['counts out of bounds', { kind: 'counts' }, none({ gpu: 0 }, { gpu: 1_000_001 }, { gpu: 1.5 })],
    ['counts nothing', { kind: 'counts' }, none({ '1gpu': 1 }, ['gpu'], null, 'gpu', 'gpu=1,gpu=2', 'gpu=1,')],
    ['is the URL of a file', STORE, [['sqlite:a.db', 'sqlite:/project/a.db']]],
    ['is the whole URL of a file', STORE, [['sqlite:///a.db', 'sqlite:/a.db']]],
    ['is the URL of a store', STORE, [['sqlite::memory:'], ['postgres://u:p@h/d']]],
    ['is no URL of a store', STORE, none('sqlite:', 'mysql://h/d', 'a.db', ' ')],
  ])('that %s', (_, setting, table) => {
    for (const [raw, value = raw] of table) expect(parse(setting, raw), JSON.stringify(raw)).toEqual(value);
  });
});

it.each([
  ['server.port', 0, 65_535],
  ['server.workers', 1, 1024],
  ['server.maxRows', 1, 1_000_000],
  ['server.requestTimeoutMs', 1, 3_600_000],
  ['server.drainTimeoutMs', 0, 3_600_000],
  ['server.drainDelayMs', 0, 600_000],
  ['server.bodyTimeoutMs', 100, 3_600_000],
  ['server.jwt.clockToleranceMs', 0, 300_000],
] as const)('%s is from %i to %i', (key, least, most) => {
  const setting = SETTINGS.find((one) => one.key === key) as Setting;
  const taken = [least - 1, least, most, most + 1].map((raw) => parse(setting, raw));
  expect(taken).toEqual([REFUSED, least, most, REFUSED]);
});

it('a URL that was refused is shown by its scheme alone: it may hold a password', () => {
  const url = { kind: 'url' } as Setting;
  expect(describeSetting(url, 'mysql://ann:secret@h')).toBe('a url that starts with "mysql:"');
  expect(describeSetting(url, 'ann:secret@h')).toBe('a text that is none');
  expect(describeSetting({ kind: 'text' } as Setting, 'x')).toContain('x');
});

// The type of headrace.config.ts and the table that the loader reads are one list.
type KeysOf<Config> = {
  [Name in keyof Config & string]-?: NonNullable<Config[Name]> extends object
    ? // What has names of the user's own is one setting.
      string extends keyof NonNullable<Config[Name]>
      ? Name
      : `${Name}.${KeysOf<NonNullable<Config[Name]>>}`
    : Name;
}[keyof Config & string];
type TypedKey = KeysOf<HeadraceConfig>;
type LoadedKey = (typeof SETTINGS)[number]['key'];

// The compiler refuses this file as soon as one has a key that the other lacks.
const inBoth = (key: TypedKey & LoadedKey): string => key;
const everyTyped = (key: TypedKey): string => inBoth(key);
const everyLoaded = (key: LoadedKey): string => inBoth(key);

const place = { host: '127.0.0.1', port: 1, grpcPort: 2, workers: 1, insecure: false };
const inFlight = { maxInFlight: 5, maxInFlightBytes: '1MB' };
const limits = { ...inFlight, bodyLimit: '1MB', maxRows: 5, maxConnections: 5, maxStreams: 5, rateLimit: 5 };
const drain = { drainTimeoutMs: 100, drainDelayMs: 100 };
const times = { ...drain, requestTimeoutMs: 100, bodyTimeoutMs: 100, reportTimeoutMs: 60_000, reportMemory: '512MB' };
const claims = { issuer: 'i', audience: 'a', rolesClaim: 'r', endpointsClaim: 'e' };

it('has every setting in the type, and the loader takes every key of the type', () => {
  const whole: HeadraceConfig = {
    project: 'p',
    repo: 'repo',
    registry: { url: 'sqlite:r.db' },
    online: { url: 'lmdb:o', mapSize: '1GB', keepVersions: '2d', replicas: 1 },
    offline: { engine: 'duckdb', path: 'off', memory: 512_000_000, threads: 2, extensions: 'ext', cache: '5GB' },
    artifacts: { url: 'file:a' },
    orchestrator: {
      executor: { kind: 'kubernetes', namespace: 'ml', image: 'ghcr.io/team/steps:1', pack: 20, template: 'steps' },
      pools: { warehouse: 4 },
    },
    pushLog: { path: 'log', topic: 'pushed', brokers: 'env:BROKERS', partitions: 4, retention: '400d' },
    predictionLog: { path: 'p', memory: '8MB', sample: 'delay.candidate=1, *=0.5', keep: '90d', redact: 'customer' },
    models: { providers: { ranker: ['cuda', 'cpu'], '*': ['cpu'] }, providerShare: 0.9 },
    server: {
      ...place,
      ...limits,
      ...times,
      spinePlaces: 's3://lake/spines',
      tls: { cert: 'cert.pem', key: 'key.pem' },
      jwt: { ...claims, algorithms: 'RS256', key: 'jwks.json', secretEnv: 'SECRET', clockToleranceMs: 5 },
    },
    retention: { trainingSets: '1d', versions: 5, quarantine: '60d' },
    alerts: { webhook: 'https://example.org/hook', secretEnv: 'HOOK' },
    monitoring: { minutes: '48h', hours: '90d' },
    drift: { every: '10m', window: 'day' },
    quality: { every: '2h' },
    scheduler: { runs: 2, serve: true },
    gc: { schedule: '0 3 * * *', timezone: 'Europe/Berlin' },
    verify: { every: '0s', sample: 50 },
    log: { level: 'warn' },
    telemetry: { otlp: 'http://127.0.0.1:4318', sampleRatio: 0.5, metricsEveryMs: 5000 },
  };
  const { values } = checkConfig(whole, '/p/headrace.config.ts', {});
  expect(Object.keys(values).sort()).toEqual(SETTINGS.map(({ key }) => everyLoaded(key)).sort());
  expect(everyTyped('server.maxInFlight')).toBe('server.maxInFlight');
  expect(everyTyped('server.jwt.rolesClaim')).toBe('server.jwt.rolesClaim');
  expect(values['server.tls.cert']).toBe('/p/cert.pem');
  expect(() => checkConfig({ ...whole, log: { level: 'loud' } }, '/p/headrace.config.ts', {})).toThrow(
    'log.level expected "debug" or "info" or "warn" or "error", got string "loud"',
  );
});

// Whether telemetry is sent at all, and where to: by our settings, else by OpenTelemetry's own variables.
const asked = (written: object, variables: Readonly<Record<string, string>> = {}) =>
  telemetrySettings(checkConfig({ project: 'p', ...written }, '/p/headrace.config.ts', variables).values, {
    variables,
  });

it('is off until somebody asks for it', () => {
  expect(asked({})).toBeUndefined();
  const variables = { OTEL_SERVICE_NAME: 'shop', OTEL_EXPORTER_OTLP_ENDPOINT: '' };
  expect(asked({ telemetry: { sampleRatio: 1 } }, variables)).toBeUndefined();
});

it('goes where the setting says, else where OpenTelemetry’s variables say', () => {
  const settings = { endpoint: 'http://collector:4318', sampleRatio: 0.01, metricsEveryMs: 60_000, project: 'p' };
  expect(asked({ telemetry: { otlp: 'http://collector:4318/' } })).toEqual(settings);
  expect(asked({}, { HEADRACE_TELEMETRY_OTLP: 'https://c/otlp' })?.endpoint).toBe('https://c/otlp');
  for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
    expect(asked({}, { [name]: 'http://c' })).toMatchObject({ endpoint: undefined, sampleRatio: 0.01 });
});

it('leaves sampling to OTEL_TRACES_SAMPLER where that is set', () => {
  const sampler = { OTEL_TRACES_SAMPLER: 'always_on' };
  expect(asked({ telemetry: { otlp: 'http://c' } }, sampler)?.sampleRatio).toBeUndefined();
});

it('refuses an address that is none, without showing it', () => {
  expect(() => asked({ telemetry: { otlp: 'http://user:s3cret@' } })).toThrow(
    'telemetry.otlp expected an address such as "http://127.0.0.1:4318", got one that is none.',
  );
});

// Which ports a server listens on: by its options, else by its configuration.
const CONFIGURED = { 'server.port': 8080, 'server.grpcPort': 8081 };

it('listens where it is configured to, unless an option names another port', () => {
  expect(portsOf({}, CONFIGURED)).toEqual({ port: 8080, grpcPort: 8081 });
  expect(portsOf({ port: 9000 }, CONFIGURED)).toEqual({ port: 9000, grpcPort: 8081 });
  expect(portsOf({ port: 9000, grpcPort: 9001 }, CONFIGURED)).toEqual({ port: 9000, grpcPort: 9001 });
});

it('lets the system choose the port of gRPC where it chooses that of HTTP', () => {
  expect(portsOf({ port: 0 }, CONFIGURED)).toEqual({ port: 0, grpcPort: 0 });
  expect(portsOf({}, { ...CONFIGURED, 'server.port': 0 })).toEqual({ port: 0, grpcPort: 0 });
  expect(portsOf({ port: 0, grpcPort: 9001 }, CONFIGURED)).toEqual({ port: 0, grpcPort: 9001 });
});

it('has no port of gRPC unless one is named', () => {
  const withoutGrpc = { 'server.port': 8080 };
  expect(portsOf({ port: 0 }, withoutGrpc).grpcPort).toBeUndefined();
  expect(portsOf({ grpcPort: 0 }, withoutGrpc)).toEqual({ port: 8080, grpcPort: 0 });
});

it('models run as this machine says, by name or all, and as their definitions say elsewhere', () => {
  const declared = ['cuda', 'cpu'];
  expect(providersOf({ 'models.providers': undefined })('ranker', declared)).toEqual(declared);
  const byName = providersOf({ 'models.providers': { ranker: ['cpu'] } });
  expect([byName('ranker', declared), byName('trees', ['cpu']), byName('toString', declared)]).toEqual([
    ['cpu'],
    ['cpu'],
    declared,
  ]);
  const all = providersOf({ 'models.providers': { '*': ['cuda:1'], trees: ['cpu'] } });
  expect([all('ranker', declared), all('trees', declared)]).toEqual([['cuda:1'], ['cpu']]);
});

// Where a server may listen without anybody being asked for a key.
it.each(['localhost', '::1', '[::1]', '127.0.0.1', '127.9.9.9'])('%s is reached from this machine alone', (host) => {
  expect(isLoopback(host)).toBe(true);
});

it.each(['0.0.0.0', '::', '10.0.0.1', '127.evil.example', '127.0.0.1.example', '1.127.0.0', 'localhost.example', ''])(
  '%j may be reached from others',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);

describe('an address that others can reach', () => {
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  it('is refused without keys, unless that is asked for, and then it is warned of', () => {
    expect(() => checkHost('0.0.0.0', false, false, logger)).toThrow(/no API key is in force/);
    expect(() => checkHost('0.0.0.0', true, false, logger)).not.toThrow();
    expect(() => checkHost('127.0.0.1', false, false, logger)).not.toThrow();
    checkHost('127.0.0.1', false, true, logger);
    checkHost('0.0.0.0', true, true, logger);
    expect(warnings).toEqual([]);
    checkHost('0.0.0.0', false, true, logger);
    expect(warnings).toEqual([{ host: '0.0.0.0' }]);
  });
});
