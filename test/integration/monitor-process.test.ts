// The process of a monitor, as a server starts it: what it measures is there once it has ended, and a failure is its server's to
// know.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { runMonitor } from '../../src/app/start-monitor-process.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openPredictionLog } from '../../src/monitoring/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { armSchema, predictionRecord } from '../support/prediction-records.ts';

const HOUR = 3_600_000_000;
const { signal } = new AbortController();

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({ serve: { compacts: false } });
  const { clock, config } = open.app;
  const directory = config.values['predictionLog.path'];
  const log = openPredictionLog({ directory, clock, logger: silentLogger, flushEveryMs: 1000 });
  const arm = log.arm({ ...armSchema, endpoint: 'checkout', model: 'returns', version: 1, variant: 'stable' });
  const atMicros = clock.nowMicros() - 3 * HOUR;
  for (let i = 0; i < 20; i++) arm.append(predictionRecord(`p${i}`, { atMicros: atMicros + i }));
  await log.close();
});
afterAll(() => open.close());

const measured = async (): Promise<number> => {
  const { arms } = (await open.get('/v1/monitoring/quality?endpoint=checkout')).json() as { arms?: readonly object[] };
  return arms?.length ?? 0;
};

it('keeps what it measured', async () => {
  expect(await measured()).toBe(0);
  await runMonitor(open.app, 'quality', signal);
  expect(await measured()).toBe(1);
});

it('ends with an error where its work fails', async () => {
  const { config, environment } = open.app;
  // A file, where a database is expected.
  const variables = { ...environment.variables, HEADRACE_REGISTRY_URL: `sqlite:${config.file}` };
  const failed = runMonitor({ config, environment: { ...environment, variables } }, 'quality', signal);
  await expect(failed).rejects.toThrow('the monitor "quality" ended with code 1');
});
