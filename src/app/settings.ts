// Every setting: its key, type, default and what it does, in one table. Loading, the environment's names, the errors
// and docs/reference/configuration.md all come from it.

export type SettingKind = 'text' | 'path' | 'url' | 'size' | 'duration' | 'integer' | 'ratio' | 'boolean' | 'choice';

export interface Setting {
  /** As in headrace.config.ts: `online.url`. */
  readonly key: string;
  readonly kind: SettingKind;
  /** As the user would write it; undefined where it must be given or may stay away. */
  readonly default?: string | number | boolean;
  readonly required?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Schemes that a url may have. */
  readonly schemes?: readonly string[];
  /** Words of which a choice is one. */
  readonly choices?: readonly string[];
  readonly help: string;
}

export const SETTINGS = [
  { key: 'project', kind: 'text', required: true, help: 'Name of the project; it is part of every online key.' },
  { key: 'repo', kind: 'path', default: './feature_repo', help: 'Folder of the feature repository.' },
  {
    key: 'registry.url',
    kind: 'url',
    default: 'sqlite:.headrace/registry.db',
    schemes: ['sqlite', 'postgres', 'postgresql'],
    help: 'Where the registry lies: `sqlite:PATH` or `postgres://…`.',
  },
  {
    key: 'online.url',
    kind: 'url',
    default: 'lmdb:.headrace/online',
    schemes: ['lmdb', 'redis', 'rediss', 'redis+cluster', 'rediss+cluster'],
    help: 'The online store: `lmdb:PATH`, `redis://…`, `rediss://…`, `redis+cluster://a,b,c`, `rediss+cluster://a,b,c`.',
  },
  {
    key: 'online.mapSize',
    kind: 'size',
    default: '64GB',
    help: 'Greatest size of an LMDB store; address space, not disk.',
  },
  {
    key: 'online.keepVersions',
    kind: 'duration',
    default: '1d',
    help: 'How long a view version is kept filled that nothing reads any more: until then going back to it takes no backfill.',
  },
  {
    key: 'offline.engine',
    kind: 'choice',
    default: 'duckdb',
    choices: ['duckdb'],
    help: 'What computes training sets: `duckdb`.',
  },
  {
    key: 'offline.path',
    kind: 'path',
    default: '.headrace/offline',
    help: 'Where training sets’ records and spilled data lie.',
  },
  {
    key: 'offline.memory',
    kind: 'size',
    default: '4GB',
    help: 'Memory that offline work may use before it spills to disk.',
  },
  {
    key: 'offline.threads',
    kind: 'integer',
    min: 1,
    max: 1024,
    help: 'Threads of offline work; all cores when left out.',
  },
  {
    key: 'artifacts.url',
    kind: 'url',
    default: 'file:.headrace/artifacts',
    schemes: ['file', 's3'],
    help: 'Where models and step results lie: `file:PATH` or `s3://bucket/prefix`.',
  },
  {
    key: 'pushLog.path',
    kind: 'path',
    default: '.headrace/push-log',
    help: 'Folder of the durable log of pushed events, of this machine alone; what is sealed goes to the artifact store.',
  },
  {
    key: 'pushLog.memory',
    kind: 'size',
    default: '256MB',
    help: 'Pushed parts that a server holds in memory: past it the log is cut, and while the online store is away pushes are refused.',
  },
  {
    key: 'pushLog.maxAhead',
    kind: 'duration',
    default: '1d',
    help: 'How far ahead of the clock a pushed event’s times may lie; past it the push is refused.',
  },
  {
    key: 'pushLog.claimRetention',
    kind: 'duration',
    default: '1d',
    min: 86_400_000_000,
    help: 'How long an Idempotency-Key is remembered after its part of the log was sealed; at least a day.',
  },
  {
    key: 'pushLog.retention',
    kind: 'duration',
    min: 86_400_000_000,
    help: 'How old pushed events may get, by event time, before they leave the log; kept for ever when left out.',
  },
  {
    key: 'pushLog.timeoutMs',
    kind: 'integer',
    default: 5000,
    min: 1,
    max: 3_600_000,
    help: 'How long a push waits for the online store before it is answered 503; what is logged still counts.',
  },
  {
    key: 'quarantine.maxSize',
    kind: 'size',
    default: '256MB',
    help: 'Pushed rows that may be set apart at a time, in bytes; past it a push with such rows is refused, and none of it is kept.',
  },
  {
    key: 'predictionLog.path',
    kind: 'path',
    default: '.headrace/predictions',
    help: 'The log of predictions and outcomes.',
  },
  {
    key: 'predictionLog.memory',
    kind: 'size',
    default: '64MiB',
    help: 'Memory of a worker for predictions that wait to be written; past it they are dropped and counted.',
  },
  {
    key: 'predictionLog.sample',
    kind: 'ratio',
    default: 1,
    help: 'Share of the predictions that is logged, from 0 to 1, by a hash of their ids.',
  },
  {
    key: 'predictionLog.redact',
    kind: 'text',
    help: 'Columns whose values are not logged, with commas between: `column` or `endpoint.column`; `unit` for what sticks a row to its variant.',
  },
  {
    key: 'models.memory',
    kind: 'size',
    default: '2GiB',
    help: 'Memory of a worker for models: the bytes of their files, times the copies of each. Those that nobody serves give their place to others; a version for which there is no room is not loaded, and its endpoint goes on with the traffic before, or answers 503 where there was none.',
  },
  {
    key: 'models.threads',
    kind: 'integer',
    default: 1,
    min: 1,
    max: 256,
    help: 'Threads of one model in a worker, where it is too slow for the event loop; each has a copy of it, and runs one batch at a time.',
  },
  {
    key: 'models.maxBatchRows',
    kind: 'integer',
    default: 256,
    min: 1,
    max: 100_000,
    help: 'Most rows of one run of a model. A request with more is answered by several runs; its client sees nothing of that.',
  },
  {
    key: 'models.maxQueuedRows',
    kind: 'integer',
    default: 4096,
    min: 1,
    max: 10_000_000,
    help: 'Rows of requests that may wait for one model in a worker before a further one, by deadline: past it that one, or the one with the latest deadline, is answered 429 with `Retry-After`. A request that finds nothing before it gets in with any number of rows.',
  },
  {
    key: 'server.host',
    kind: 'text',
    default: '127.0.0.1',
    help: 'Address to listen on; the server does not start on one that is not loopback without keys, tokens or `--insecure`.',
  },
  { key: 'server.port', kind: 'integer', default: 8080, min: 0, max: 65535, help: 'HTTP port; 0 takes a free one.' },
  {
    key: 'server.grpcPort',
    kind: 'integer',
    default: 8081,
    min: 0,
    max: 65535,
    help: 'Kept for gRPC, which is not served yet.',
  },
  {
    key: 'server.workers',
    kind: 'integer',
    default: 1,
    min: 1,
    max: 1024,
    help: 'Processes that serve one port; limits of a worker are each one’s own.',
  },
  {
    key: 'server.insecure',
    kind: 'boolean',
    default: false,
    help: 'Let anybody in on an address that is not loopback, while there are no keys.',
  },
  {
    key: 'server.bodyLimit',
    kind: 'size',
    default: '4MB',
    help: 'Greatest request body, in bytes as they are sent; a larger one is answered 413.',
  },
  {
    key: 'server.maxRows',
    kind: 'integer',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    help: 'Most rows in one request, to predict for, to read or to push; one with more is answered 413.',
  },
  {
    key: 'server.maxInFlight',
    kind: 'integer',
    default: 1024,
    min: 1,
    max: 1_000_000,
    help: 'Predictions, reads, pushes and outcomes that one worker answers at once; a further one is answered 429 with `Retry-After`.',
  },
  {
    key: 'server.maxInFlightBytes',
    kind: 'size',
    default: '256MiB',
    help: 'Bytes of request bodies that a worker reads or works at, at once; past it the answer is 429. At least `server.bodyLimit`.',
  },
  {
    key: 'server.requestTimeoutMs',
    kind: 'integer',
    default: 1000,
    min: 1,
    max: 3_600_000,
    help: 'Milliseconds in which a request without `X-Request-Timeout-Ms` is to be answered; a prediction or a read that is not is answered 504, or 429 at once where the model’s queue leaves it no chance.',
  },
  {
    key: 'server.drainTimeoutMs',
    kind: 'integer',
    default: 10_000,
    min: 0,
    max: 3_600_000,
    help: 'Milliseconds that running requests have once the server is told to stop; then their connections are cut.',
  },
  {
    key: 'server.drainDelayMs',
    kind: 'integer',
    default: 0,
    min: 0,
    max: 600_000,
    help: 'Milliseconds that a server which is told to stop still takes connections and answers, while its readiness is 503: give a balancer as long as it takes to notice. Told again it waits no longer.',
  },
  {
    key: 'server.bodyTimeoutMs',
    kind: 'integer',
    default: 10_000,
    min: 100,
    max: 3_600_000,
    help: 'Milliseconds in which a request has to arrive whole, headers and body; past it the answer is 400, and the connection is closed.',
  },
  {
    key: 'server.maxConnections',
    kind: 'integer',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    help: 'Open connections of a worker; a further one is closed at once, without an answer.',
  },
  {
    key: 'server.maxStreams',
    kind: 'integer',
    default: 100,
    min: 0,
    max: 100_000,
    help: 'Open streams of events (`GET /v1/monitoring/stream`) of a worker; a further one is answered 429 with `Retry-After`.',
  },
  {
    key: 'server.rateLimit',
    kind: 'integer',
    min: 1,
    max: 1_000_000,
    help: 'Requests a second of one key, token or address in a worker, as many at once; a further one is answered 429 with `Retry-After`. Any number when left out.',
  },
  {
    key: 'server.tls.cert',
    kind: 'path',
    help: 'PEM file of the certificate and those above it; with `server.tls.key` the server speaks HTTPS. Read again when it changes.',
  },
  { key: 'server.tls.key', kind: 'path', help: 'PEM file of the certificate’s key.' },
  {
    key: 'server.jwt.algorithms',
    kind: 'text',
    help: 'Algorithms that tokens are signed by, such as `RS256` or `ES256, EdDSA`; with issuer, audience and a key the server takes tokens.',
  },
  { key: 'server.jwt.issuer', kind: 'text', help: 'What `iss` of a token must be; another is answered 401.' },
  {
    key: 'server.jwt.audience',
    kind: 'text',
    help: 'What `aud` of a token must be, or hold; another is answered 401.',
  },
  {
    key: 'server.jwt.key',
    kind: 'path',
    help: 'File of the public key (PEM) or keys (JWKS) that tokens are checked by. Read again when it changes.',
  },
  {
    key: 'server.jwt.secretEnv',
    kind: 'text',
    help: 'Name of the environment variable that holds the secret of HS256, HS384, HS512: 32 bytes or more.',
  },
  {
    key: 'server.jwt.rolesClaim',
    kind: 'text',
    default: 'roles',
    help: 'The claim that lists roles, a list or words; `realm_access.roles` leads into objects. What takes a role that it does not list is answered 403.',
  },
  {
    key: 'server.jwt.endpointsClaim',
    kind: 'text',
    help: 'The claim that lists endpoints, `*` for all; others are answered 403. When left out tokens may use all.',
  },
  {
    key: 'server.jwt.clockToleranceMs',
    kind: 'integer',
    default: 5000,
    min: 0,
    max: 300_000,
    help: 'Milliseconds that another’s clock may be off in `exp` and `nbf`; a token that is off by more is answered 401.',
  },
  {
    key: 'log.level',
    kind: 'choice',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error'],
    help: 'Least level logged: `debug`, `info`, `warn`, `error`.',
  },
  {
    key: 'log.requests',
    kind: 'choice',
    default: 'errors',
    choices: ['none', 'errors', 'all'],
    help: 'Which requests are logged: `none` but those that met a bug (500), `errors` of the server, `all`.',
  },
  {
    key: 'telemetry.otlp',
    kind: 'url',
    schemes: ['http', 'https'],
    help: 'Where traces and metrics are sent by OTLP over HTTP, such as `http://127.0.0.1:4318`; nowhere when left out, unless OTEL_EXPORTER_OTLP_ENDPOINT is set.',
  },
  {
    key: 'telemetry.sampleRatio',
    kind: 'ratio',
    default: 0.01,
    help: 'Share of requests that begin a trace, from 0 to 1; a request that comes with a sampled trace is always part of it.',
  },
  {
    key: 'telemetry.metricsEveryMs',
    kind: 'integer',
    default: 60_000,
    min: 1000,
    max: 3_600_000,
    help: 'How often metrics are sent by OTLP.',
  },
] as const satisfies readonly Setting[];

type Settings = (typeof SETTINGS)[number];
type ValueOf<S extends Settings> = S['kind'] extends 'integer' | 'ratio' | 'size' | 'duration'
  ? number
  : S['kind'] extends 'boolean'
    ? boolean
    : string;
type Optional<S extends Settings> = S extends { default: unknown } | { required: true } ? never : undefined;

/** Every setting by its dotted key, checked: paths absolute, sizes in bytes, durations in microseconds. */
export type SettingValues = {
  readonly [S in Settings as S['key']]: ValueOf<S> | Optional<S>;
};

/** The environment variable that overrides a setting: `online.url` is HEADRACE_ONLINE_URL. */
export function environmentName(key: string): string {
  return `HEADRACE_${key
    .replaceAll('.', '_')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}
