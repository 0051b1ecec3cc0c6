// The shape of headrace.config.ts. Reading and checking it is the application's job.

import type { ExecutorOption } from './step-options.ts';

/** Bytes, or a text such as `4GB` or `512MiB`. */
type Size = string | number;

export interface HeadraceConfig {
  /** Names everything this installation stores; lower-case letters, digits, `_` and `-`. */
  readonly project: string;
  /** Folder of the feature repository. Relative paths here are relative to the configuration file. */
  readonly repo?: string;
  readonly registry?: {
    /** `sqlite:PATH` or `postgres://…` */
    readonly url?: string;
  };
  readonly online?: {
    /** `lmdb:PATH`, `redis://…`, `rediss://…`, `redis+cluster://a,b,c` or `rediss+cluster://a,b,c` */
    readonly url?: string;
    /** Greatest size of an LMDB store, `64GB`: address space, not disk. */
    readonly mapSize?: Size;
    /** How many replicas of Redis must have a push's Idempotency-Key. Default: the most that were connected within the last 10 minutes. */
    readonly replicas?: number;
    /** How long a view version is kept filled that nothing reads any more, such as '1d'. */
    readonly keepVersions?: string;
  };
  readonly offline?: {
    readonly engine?: 'duckdb';
    /** Folder for training sets and spilled data. */
    readonly path?: string;
    /** Bound of the engine's memory: `4GB`. */
    readonly memory?: Size;
    /** Threads of offline work. Default: all cores. */
    readonly threads?: number;
    /** Folder of DuckDB's extensions, such as `httpfs.duckdb_extension`. Default: DuckDB's own install. */
    readonly extensions?: string;
    /** Bound of the copies of S3 objects on this machine, such as `10GB`. */
    readonly cache?: Size;
    readonly sourceSilence?: string;
    /** How long S3 may say nothing until it is asked again, such as `30s`. */
    readonly s3Silence?: string;
  };
  readonly artifacts?: {
    /** `file:PATH` or `s3://bucket/prefix` */
    readonly url?: string;
  };
  readonly orchestrator?: {
    /** Where steps run that name no executor: on the machine that drives the run (the default), on those of `headrace worker`, or in a cluster. */
    readonly executor?: ExecutorOption;
    /** How many tasks may run at once, over all runs, of the steps that name a pool: `{ warehouse: 4 }`. */
    readonly pools?: Readonly<Record<string, number>>;
  };
  readonly pushLog?: {
    /** Folder of the durable log of pushed events, of this machine alone. */
    readonly path?: string;
    /** Kafka topic that the log lies in instead. Default: `none`, on disk. */
    readonly topic?: string;
    /** `env:NAME`: the variable that holds the address of the topic's brokers. */
    readonly brokers?: string;
    /** Partitions that the topic is made with, where it is missing. */
    readonly partitions?: number;
    /** Pushed parts that a server holds in memory; past it the log is cut. */
    readonly memory?: Size;
    /** How far ahead of the clock a pushed event's known time may lie: `1d`. */
    readonly maxAhead?: string;
    /** How long an Idempotency-Key is remembered, at least a day: `1d`. */
    readonly claimRetention?: string;
    /** How old pushed events may get before they leave the log: `400d`. Default: kept for ever. */
    readonly retention?: string;
    /** How long a push waits for the online store before it is answered 503. */
    readonly timeoutMs?: number;
  };
  readonly predictionLog?: {
    /** Folder of the log of predictions and outcomes. */
    readonly path?: string;
    /** Memory of a worker for predictions that wait to be written; past it they are dropped and counted. Such as `64MiB`, or bytes. */
    readonly memory?: string | number;
    /** Share of the predictions that is logged, from 0 to 1; or rules, of which the first that fits decides: `delay.candidate=1, *=0.1`. */
    readonly sample?: number | string;
    /** How long predictions are kept, and of single endpoints: `90d, delay=400d`. Default: for ever, within 50 GB. */
    readonly keep?: string;
    /** Columns whose values are not logged, with commas between: `column` or `endpoint.column`. */
    readonly redact?: string;
  };
  readonly quarantine?: {
    /** Pushed rows that may be set apart at a time: `256MB`, or bytes; past it a push with such rows is refused. */
    readonly maxSize?: Size;
  };
  readonly models?: {
    /** Memory of a worker for models, all copies together: `2GiB`, or bytes. What finds no room is not loaded. */
    readonly memory?: string | number;
    /** Memory of a worker for answers that endpoints keep, all together: `256MiB`, or bytes. */
    readonly cacheMemory?: string | number;
    /** Threads of one model in a worker, where it is too slow for the event loop. */
    readonly threads?: number;
    /** Execution providers in order, of all models or by name (`*`: the rest), in the place of what definitions say. */
    readonly providers?: string | readonly string[] | Readonly<Record<string, readonly string[]>>;
    /** Share of a model's nodes that must run on its providers before the CPU, from 0 to 1. */
    readonly providerShare?: number;
    /** Most rows of one run of a model; a request with more is answered by several. */
    readonly maxBatchRows?: number;
    /** Rows that may wait for one model in a worker; past it the answer is 429. */
    readonly maxQueuedRows?: number;
  };
  readonly server?: {
    readonly host?: string;
    readonly port?: number;
    /** gRPC is served where it is given. */
    readonly grpcPort?: number;
    readonly workers?: number;
    /** Allow an address that is not loopback without keys. */
    readonly insecure?: boolean;
    /** Greatest request body, such as `4MB`; past it the answer is 413. */
    readonly bodyLimit?: Size;
    /** Most rows in one request; past it the answer is 413. */
    readonly maxRows?: number;
    /** Predictions, reads, pushes and outcomes at once in a worker; past it the answer is 429. */
    readonly maxInFlight?: number;
    /** Bytes of request bodies that a worker reads or works at, at once: `256MiB`; past it the answer is 429. */
    readonly maxInFlightBytes?: Size;
    /** Deadline of a request without `X-Request-Timeout-Ms`; past it the answer is 504. */
    readonly requestTimeoutMs?: number;
    /** Longest wait for running requests when stopping; then their connections are cut. */
    readonly drainTimeoutMs?: number;
    /** How long a stopping server, which no longer answers that it is ready, still takes connections. */
    readonly drainDelayMs?: number;
    /** In which a request has to arrive whole, headers and body; past it the answer is 400. */
    readonly bodyTimeoutMs?: number;
    /** Open connections of a worker; further ones are closed at once. */
    readonly maxConnections?: number;
    /** Open streams of events of a worker; past it the answer is 429. */
    readonly maxStreams?: number;
    /** Greatest spine of a training set over HTTP, such as `4GB`; past it the answer is 413. */
    readonly maxSpine?: Size;
    /** In which a spine has to arrive whole. */
    readonly spineTimeoutMs?: number;
    /** Where in S3 a spine may lie that a request names, with commas between: `s3://bucket/folder`. Default: nowhere. */
    readonly spinePlaces?: string;
    /** In which a report of an experiment is to be made; past it the answer is 504. */
    readonly reportTimeoutMs?: number;
    /** What the process of a report may use before it spills to disk, such as `1GB`. */
    readonly reportMemory?: Size;
    /** Training sets that all servers of a registry make at once over HTTP, each with `offline.memory`. */
    readonly trainingSetJobs?: number;
    /** Training sets that wait their turn; past it the answer is 429. */
    readonly trainingSetQueue?: number;
    /** Requests a second of one key, token or address in a worker; past it the answer is 429. */
    readonly rateLimit?: number;
    /** PEM files: with both the server speaks HTTPS. */
    readonly tls?: {
      readonly cert?: string;
      readonly key?: string;
    };
    /** With algorithms, issuer, audience and a key the server takes JSON Web Tokens. */
    readonly jwt?: {
      /** Such as `RS256` or `ES256, EdDSA`. */
      readonly algorithms?: string;
      readonly issuer?: string;
      readonly audience?: string;
      /** File of the public key (PEM) or keys (JWKS). */
      readonly key?: string;
      /** Name of the environment variable that holds the secret of HS256, HS384, HS512. */
      readonly secretEnv?: string;
      readonly rolesClaim?: string;
      readonly endpointsClaim?: string;
      readonly clockToleranceMs?: number;
    };
  };
  readonly log?: {
    /** The least level that is logged. */
    readonly level?: 'debug' | 'info' | 'warn' | 'error';
    /** Which requests are logged: `none` but those that met a bug, `errors` of the server, `all`. */
    readonly requests?: 'none' | 'errors' | 'all';
  };
  /** What `headrace gc` leaves, and for how long. */
  readonly retention?: {
    /** Training sets that no run and no model version needs: `90d`. */
    readonly trainingSets?: string;
    /** Pipelines' runs after their end, where no model version came of them: `90d`. */
    readonly runs?: string;
    /** How many of the last applied revisions: 50. */
    readonly versions?: number;
    /** What no row names in the artifact store, and revisions that others took the place of; at least an hour: `30d`. */
    readonly bundles?: string;
    /** Files that somebody may still be writing; at least an hour: `1d`. */
    readonly partials?: string;
    /** Python environments after their last use; at least an hour: `30d`. */
    readonly pythonEnvironments?: string;
    /** Copies of objects and rows read from databases, after their last use; at least an hour: `30d`. */
    readonly copies?: string;
    /** Pushed rows that were set apart; at least an hour. Default: until they are put back or dropped. */
    readonly quarantine?: string;
  };
  /** Where alerts are sent. */
  readonly alerts?: {
    /** Where each one that opens or closes is sent, by POST. Default: nowhere. */
    readonly webhook?: string;
    /** Name of the environment variable that holds the secret sent to it. */
    readonly secretEnv?: string;
  };
  /** How long what was counted is kept: by the minute (48h), by the hour (90d). */
  readonly monitoring?: { readonly minutes?: string; readonly hours?: string };
  /** What is served, held against the training data. */
  readonly drift?: {
    /** How often: `5m`; `0s`: never. */
    readonly every?: string;
    readonly window?: 'hour' | 'day';
  };
  /** Predictions, held against what really happened. */
  readonly quality?: {
    /** How often: `1h`; `0s`: never. */
    readonly every?: string;
  };
  /** What runs pipelines by their schedules. */
  readonly scheduler?: {
    /** Runs that one scheduler drives at once. */
    readonly runs?: number;
    /** Whether one of the servers is a scheduler too. */
    readonly serve?: boolean;
  };
  /** What `headrace gc` does, by a scheduler. */
  readonly gc?: {
    /** Five fields of cron: `0 3 * * *`. Default: never. */
    readonly schedule?: string;
    /** IANA time zone. Default UTC. */
    readonly timezone?: string;
  };
  /** What was served, computed again as of then. */
  readonly verify?: {
    /** How often: `1h`; `0s`: never. */
    readonly every?: string;
    /** Predictions that one check takes at most. */
    readonly sample?: number;
  };
  readonly telemetry?: {
    /** Where traces and metrics are sent by OTLP over HTTP: `http://127.0.0.1:4318`. Default: nowhere. */
    readonly otlp?: string;
    /** Share of requests that begin a trace, from 0 to 1. */
    readonly sampleRatio?: number;
    /** How often metrics are sent. */
    readonly metricsEveryMs?: number;
  };
}

/** Gives the configuration back as it is: it is there for the editor to check it. */
export function defineConfig(config: HeadraceConfig): HeadraceConfig {
  return config;
}
