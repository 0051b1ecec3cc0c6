// How long rows waited for a model, which is what servers are added by.

import { expect, it } from 'vitest';
import type { Priority } from '../../src/core/index.ts';
import type { Batch } from '../../src/models/queue/queued-job.ts';
import { scopeOf } from '../support/model-works.ts';
import { openCore } from '../support/open-core.ts';

function openWaits() {
  const core = openCore();
  const submit = (count: number, priority: Priority = 'online'): void =>
    core.submit({ count, scope: scopeOf({ priority }), bind() {}, done() {}, failed() {} });
  /** A run that begins so long after the rows came, give or take what submitting them took. */
  const takeAfter = (ms: number): Batch => core.take(performance.now() + ms) as Batch; // Rows wait.
  const waitedMs = (): number => core.statistics().waitMicros / 1000;
  return { core, submit, takeAfter, waitedMs };
}
/** What this process may have stood still for. */
const SLACK_MS = 500;

it('is the time until the run that has them begins, row by row', () => {
  const { core, submit, takeAfter, waitedMs } = openWaits();
  submit(3);
  submit(3);
  expect(waitedMs()).toBe(0);
  core.succeeded(takeAfter(1000), [], 1);
  expect(waitedMs()).toBeGreaterThanOrEqual(4 * 1000);
  expect(waitedMs()).toBeLessThan(4 * (1000 + SLACK_MS));
  core.succeeded(takeAfter(10_000), [], 1);
  expect(waitedMs()).toBeGreaterThanOrEqual(4 * 1000 + 2 * 10_000);
  expect(waitedMs()).toBeLessThan(4 * (1000 + SLACK_MS) + 2 * (10_000 + SLACK_MS));
  expect(core.statistics().waitedRows).toBe(6);
});

it('counts rows once that run again, those of shadows never', () => {
  const { core, submit, takeAfter, waitedMs } = openWaits();
  submit(1);
  submit(1);
  core.threw(takeAfter(1000), 'no memory');
  const once = waitedMs();
  expect(once).toBeGreaterThanOrEqual(2 * 1000);
  core.succeeded(takeAfter(5000), [], 1);
  core.succeeded(takeAfter(5000), [], 1);
  submit(2, 'shadow');
  core.succeeded(takeAfter(9000), [], 1);
  expect(waitedMs()).toBe(once);
  expect(core.statistics().waitedRows).toBe(2);
});
