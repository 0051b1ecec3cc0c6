// What becomes of rows between their coming and their answers: how long they waited, runs that did not answer them, and works
// that take several.

import { describe, expect, it } from 'vitest';
import type { Priority } from '../../src/core/index.ts';
import type { ModelWork, Tensor } from '../../src/models/index.ts';
import type { Batch } from '../../src/models/queue/queued-job.ts';
import { scopeOf } from '../support/model-works.ts';
import { openCore } from '../support/open-core.ts';

function open() {
  const core = openCore();
  const submit = (count: number, work: Partial<ModelWork> = {}): void =>
    core.submit({ count, scope: scopeOf(), bind() {}, done() {}, failed() {}, ...work });
  /** A run that begins so long after the rows came, give or take what submitting them took. */
  const takeAfter = (ms = 0): Batch => core.take(performance.now() + ms) as Batch; // Rows wait.
  const waitedMs = (): number => core.statistics().waitMicros / 1000;
  return { core, submit, takeAfter, waitedMs };
}
/** What this process may have stood still for. */
const SLACK_MS = 500;

describe('how long rows waited, which is what servers are added by,', () => {
  it('is the time until the run that has them begins, row by row', () => {
    const { core, submit, takeAfter, waitedMs } = open();
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
    const { core, submit, takeAfter, waitedMs } = open();
    submit(1);
    submit(1);
    core.threw(takeAfter(1000), 'no memory');
    const once = waitedMs();
    expect(once).toBeGreaterThanOrEqual(2 * 1000);
    core.succeeded(takeAfter(5000), [], 1);
    core.succeeded(takeAfter(5000), [], 1);
    submit(2, { scope: scopeOf({ priority: 'shadow' satisfies Priority }) });
    core.succeeded(takeAfter(9000), [], 1);
    expect(waitedMs()).toBe(once);
    expect(core.statistics().waitedRows).toBe(2);
  });

  it('counts rows once that came back from a thread which never began with them', () => {
    const { core, submit, takeAfter } = open();
    const began: number[] = [];
    submit(2, { began: (rows) => void began.push(rows) });
    core.putBack(takeAfter(1000));
    const { waitMicros } = core.statistics();
    core.succeeded(takeAfter(5000), [], 1);
    expect(core.statistics()).toMatchObject({ waitedRows: 2, waitMicros });
    expect(began).toEqual([2]);
  });
});

it.each(['crashed', 'putBack'] as const)(
  'rows that a run did not answer are told while they wait for another that they are cancelled or late: %s',
  (what) => {
    const { core, submit, takeAfter } = open();
    const told: string[] = [];
    const gone = scopeOf();
    for (const [name, scope] of Object.entries({
      gone,
      late: scopeOf({ timeoutMs: 10_000 }),
      patient: scopeOf({ timeoutMs: 60_000 }),
    })) {
      const tell = (what: string) => void told.push(`${name} ${what}`);
      submit(1, { scope, done: () => tell('done'), failed: ({ code }) => tell(code) });
    }
    core[what](takeAfter(), 'its thread ended');
    gone.cancel();
    core.sweep(performance.now() + 20_000);
    expect(told).toEqual(['late HR_DEADLINE', 'gone HR_CANCELLED']);
    expect(core.statistics()).toMatchObject({ queuedRows: 1, refused: { cancelled: 1, deadline: 1 } });
    core.succeeded(takeAfter(), [], 1);
    expect(told).toEqual(['late HR_DEADLINE', 'gone HR_CANCELLED', 'patient done']);
  },
);

describe('works that take several runs', () => {
  /** Of a run of four rows. */
  const floats = (width: number): Tensor => ({
    type: 'float32',
    shape: [4, width],
    data: Float32Array.from({ length: 4 * width }, (_, at) => at),
  });
  const texts: Tensor = { type: 'string', shape: [4], data: ['a', 'b', 'c', 'd'] };
  function submitted(count: number) {
    const { core, submit, takeAfter } = open();
    const told: string[] = [];
    submit(count, {
      done: (outputs) =>
        void told.push(outputs.map(({ shape, data }) => `${shape.join('×')}: ${data.join()}`).join('; ')),
      failed: ({ code, message }) => void told.push(`${code}: ${message}`),
    });
    return { core, told, take: takeAfter };
  }

  it('are answered once, by the rows of all runs in order', () => {
    const { core, told, take } = submitted(8);
    const [first, second] = [take(), take()];
    core.succeeded(second, [floats(1), texts], 1);
    expect(told).toEqual([]);
    core.succeeded(first, [floats(1), texts], 1);
    expect(told).toEqual(['8×1: 0,1,2,3,0,1,2,3; 8: a,b,c,d,a,b,c,d']);
  });

  it.each([
    ['numbers', 2 ** 31, floats(1), '8192 MiB'],
    ['numbers past what an array may have', 2 ** 50, floats(1), '4294967296 MiB'],
    ['many numbers a row', 2 ** 20, floats(1000), '4000 MiB'],
    ['texts', 2 ** 31, texts, '16384 MiB'],
  ])('fail where they would be no answer: %s', (_what, count, output, size) => {
    const { core, told, take } = submitted(count);
    core.succeeded(take(), [output], 1);
    expect(told).toEqual([
      `HR_INFERENCE_FAILED: the model's runtime failed: its answer to ${count} rows would take ${size}, and one of several runs may take 1024 MiB. Send fewer rows`,
    ]);
    // Nothing of it runs any more.
    expect(core.take(performance.now())).toBeUndefined();
    expect(core.statistics()).toMatchObject({ queuedRows: 0, runningRows: 0, failures: count });
  });
});
