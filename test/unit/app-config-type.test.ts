// The type of headrace.config.ts and the table that the loader reads are one list.

import { expect, it } from 'vitest';
import { checkConfig } from '../../src/app/load-config.ts';
import { SETTINGS } from '../../src/app/settings.ts';
import type { HeadraceConfig } from '../../src/index.ts';

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

it('has every setting in the type, and the loader takes every key of the type', () => {
  const whole: HeadraceConfig = {
    project: 'p',
    repo: 'repo',
    registry: { url: 'sqlite:r.db' },
    online: { url: 'lmdb:o', mapSize: '1GB', keepVersions: '2d' },
    offline: { engine: 'duckdb', path: 'off', memory: 512_000_000, threads: 2, extensions: 'ext', cache: '5GB' },
    artifacts: { url: 'file:a' },
    orchestrator: {
      executor: { kind: 'kubernetes', namespace: 'ml', image: 'ghcr.io/team/steps:1', pack: 20, template: 'steps' },
      pools: { warehouse: 4 },
    },
    pushLog: { path: 'log', topic: 'pushed', brokers: 'env:BROKERS', partitions: 4, retention: '400d' },
    predictionLog: {
      path: 'predictions',
      memory: '8MB',
      sample: 'delay.candidate=1, *=0.5',
      keep: '90d, delay=400d',
      redact: 'customer',
    },
    models: { providers: { ranker: ['cuda', 'cpu'], '*': ['cpu'] }, providerShare: 0.9 },
    server: {
      host: '127.0.0.1',
      port: 1,
      grpcPort: 2,
      workers: 1,
      insecure: false,
      bodyLimit: '1MB',
      maxRows: 5,
      maxInFlight: 5,
      maxInFlightBytes: '1MB',
      requestTimeoutMs: 100,
      drainTimeoutMs: 100,
      drainDelayMs: 100,
      bodyTimeoutMs: 100,
      maxConnections: 5,
      maxStreams: 5,
      rateLimit: 5,
      spinePlaces: 's3://lake/spines',
      reportTimeoutMs: 60_000,
      reportMemory: '512MB',
      tls: { cert: 'cert.pem', key: 'key.pem' },
      jwt: {
        algorithms: 'RS256',
        issuer: 'i',
        audience: 'a',
        key: 'jwks.json',
        secretEnv: 'SECRET',
        rolesClaim: 'r',
        endpointsClaim: 'e',
        clockToleranceMs: 5,
      },
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
