// A process that logs the same rows again and again, as serving's sink does, and says how many bytes of heap that leaves for a
// row. Run with --expose-gc, and a young generation that none of it leaves. Arguments: the log's folder.

import { type Scope, silentLogger } from '../../src/core/index.ts';
import { openPredictionLog } from '../../src/monitoring/index.ts';
import { logSink } from '../../src/serving/arm-sinks.ts';
import type { ArmBatch } from '../../src/serving/arm.ts';
import { compileLoggedRoutes } from '../../src/serving/logged-routes.ts';
import { armSchema } from './prediction-records.ts';

const [, , directory = ''] = process.argv;
const clock = { nowMicros: () => 1_790_000_000_000_000 };
const memory = 1024 ** 3;
const log = openPredictionLog({ directory, clock, logger: silentLogger, flushEveryMs: 3_600_000, memory });
const routes = compileLoggedRoutes({ experiments: [], revision: 3, rollout: null }, armSchema.requestFields);
const sink = logSink(log.arm(armSchema), routes);

const ROWS = 100;
const unit = ['JFK'];
const of = <T>(one: T): T[] => Array.from({ length: ROWS }, () => one);
const batch: ArmBatch = {
  // What the sink asks of a scope.
  scope: { requestId: 'request-1', traceId: null } as unknown as Scope,
  at: clock.nowMicros(),
  latencyMicros: 850,
  requests: of(['JFK']),
  rows: of({ features: [5n, 1.5, 1], statuses: of('PRESENT').slice(0, 3) as 'PRESENT'[], outputs: [0.25] }),
  routes: of({ place: 0, variant: 'stable', version: 3, via: 'base', experiment: null, phase: 0 }),
  unitHashes: of(12_345),
  revision: 3,
  fallbackFrom: null,
  isBroken: false,
  ids: of('b0eaa9f2f28d-1z.3.3.k2x9q1'),
  isAnswered: true,
  unitOf: () => unit,
};
for (let i = 0; i < 3000; i++) sink(batch);
await log.flush();
globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
const BATCHES = 200;
for (let i = 0; i < BATCHES; i++) sink(batch);
const bytes = (process.memoryUsage().heapUsed - before) / (BATCHES * ROWS);
const { dropped } = log.counters();
await log.close();
process.stdout.write(JSON.stringify({ bytes, dropped: Object.values(dropped).reduce((sum, one) => sum + one, 0) }));
