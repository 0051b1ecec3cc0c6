// What a work that is not run is told: what it would take against what is left, and what its caller can do. And which works run
// together.

import { describe, expect, it } from 'vitest';
import { createModelCore } from '../../src/models/queue/model-core.ts';
import { createModelQueue } from '../../src/models/queue/model-queue.ts';
import { type Batch, createJob } from '../../src/models/queue/queued-job.ts';
import { dropError } from '../../src/models/queue/refusals.ts';
import type { RunCost } from '../../src/models/queue/run-cost.ts';
import { scopeOf } from '../support/model-works.ts';

const costOf = (runMs: RunCost['runMs'], batchRows: number): RunCost => ({
  runMs,
  batchRows: () => batchRows,
  observe() {},
  current: () => ({ fixedMicros: 0, rowMicros: 0, loadMicros: 0 }),
});
/** 50 ms + 10 ms a row. */
const cost = costOf((rows) => 50 + 10 * rows, 4);
const COMMON = { mode: 'joined', lanes: 1, maxQueuedBytes: Infinity } as const;
const workOf = (count: number, deadlineMs?: number) => ({
  count,
  scope: scopeOf(deadlineMs === undefined ? {} : { deadlineMs }),
  bind() {},
  done() {},
  failed() {},
});

/** A model of that cost whose lane is free after so long; no estimate is too old to refuse. */
function modelOf(busyMs: number) {
  const signature = { inputs: [], outputs: [] };
  const freeMs = (nowMs: number) => nowMs + busyMs;
  const core = createModelCore({ ...COMMON, signature, cost, maxQueuedRows: 8, freeMs, wake() {} });
  const submit = (count: number, timeoutMs: number): Promise<{ code: string; message: string }> =>
    new Promise((failed, done) => core.submit({ ...workOf(count), scope: scopeOf({ timeoutMs }), done, failed }));
  return { core, submit };
}

/** With a first run under way, which keeps the estimate young. */
function busy(busyMs: number) {
  const model = modelOf(busyMs);
  void model.submit(1, 60_000);
  model.core.take(performance.now());
  return model;
}

describe('a work that is not run', () => {
  it('is told what it would take, with whom, when the queue cannot keep its deadline', async () => {
    const { submit } = busy(300);
    const alone = await submit(1, 200);
    expect(alone.code).toBe('HR_OVERLOADED');
    expect(alone.message).toMatch(
      /the model would take about 36\d ms \(1 row runs\), and 19\d ms are left until the deadline\. Retry after a second, or raise X-Request-Timeout-Ms\./,
    );
    void submit(1, 60_000);
    expect((await submit(3, 200)).message).toMatch(
      /\(1 row waits, 1 row runs\).*\. Retry after a second, raise X-Request-Timeout-Ms, or send fewer rows\./,
    );
  });

  it('is told what a run takes when that alone is more than is left', async () => {
    const { submit } = busy(0);
    const one = await submit(1, 20);
    expect(one.code).toBe('HR_DEADLINE');
    expect(one.message).toMatch(
      /^the model's run would take about 60 ms, and 1\d(\.\d)? ms are left until the deadline\. Raise X-Request-Timeout-Ms\.$/,
    );
    expect((await submit(2, 20)).message).toMatch(/Raise X-Request-Timeout-Ms, or send fewer rows\.$/);
  });

  it('is told of its deadline when that has passed', async () => {
    const { message } = await busy(0).submit(1, -1);
    expect(message).toBe('the deadline passed while the model had yet to run. Raise X-Request-Timeout-Ms.');
  });

  it('is told the same when it waited too long for a run', async () => {
    const { core, submit } = busy(0);
    const told = submit(1, 500);
    // Its turn comes when 40 ms are left.
    core.take(performance.now() + 460);
    expect((await told).message).toMatch(
      /^the model's run would take about 60 ms, and (39(\.\d)?|40) ms are left until the deadline, after it waited\. Raise X-Request-Timeout-Ms\.$/,
    );
  });

  it('is told nothing of what others would have taken, once they are gone and it was let in', () => {
    const dropped: string[] = [];
    const queue = createModelQueue({
      ...COMMON,
      cost,
      maxQueuedRows: 80,
      dropped: (job, reason) => dropped.push(reason === 'deadline' ? dropError(reason, job, 0).message : reason),
    });
    const offer = (count: number, deadlineMs: number, nowMs: number) =>
      queue.offer(createJob(workOf(count, deadlineMs), 0, '', 0), nowMs, nowMs);
    expect(offer(8, 300, 0)).toBeUndefined();
    // Behind the first it would be late; but that is late itself by now, which nobody has seen.
    expect(offer(1, 481, 330)).toBeUndefined();
    queue.sweep(1000);
    expect(dropped).toHaveLength(2);
    for (const message of dropped) expect(message).not.toContain('would take');
  });

  it.each(['succeeded', 'threw', 'crashed', 'putBack', 'neverEnded'] as const)(
    'is told at the close whose run hung, and waits and runs no more, where that has %s after it',
    async (ended) => {
      const { core, submit } = modelOf(0);
      const tolds = [1, 2].map((count) => submit(count, 30_000));
      const batch = core.take(performance.now()) as Batch; // Both wait.
      await core.close(1);
      expect(await Promise.all(tolds)).toMatchObject([{ code: 'HR_MODEL_NOT_READY' }, { code: 'HR_MODEL_NOT_READY' }]);
      const counted = { queuedRows: 0, runningRows: 0, failures: 0, refused: { closed: 3 } };
      expect(core.statistics()).toMatchObject(counted);
      if (ended === 'succeeded') core.succeeded(batch, [], 5);
      else if (ended !== 'neverEnded') core[ended](batch, 'no memory');
      expect(core.statistics()).toMatchObject(counted);
    },
  );

  it('is told so once its deadline passes between two of its runs, also where it was let in whatever they take', () => {
    const dropped: string[] = [];
    const queue = createModelQueue({
      ...COMMON,
      cost,
      maxQueuedRows: 100,
      dropped: (job, reason) => void dropped.push(`${job.work.count} ${reason}`),
    });
    const offer = (count: number, deadlineMs: number, freeMs: number | undefined) =>
      void queue.offer(createJob(workOf(count, deadlineMs), 0, '', 4), 0, freeMs);
    // Nothing had run for long: the estimate wants proof.
    offer(12, 100, undefined);
    offer(1, 1000, 0);
    expect(queue.take(0)?.rows).toBe(4);
    // That it would begin too late is only what the estimate says.
    expect(queue.take(150, 99)?.rows).toBe(4);
    expect(queue.take(101)?.rows).toBe(1);
    expect(dropped).toEqual(['12 deadline']);
    expect(queue.rows).toBe(0);
  });
});

// Tensors that callers bring join a batch where copying them there costs less than the run that it saves: a megabyte takes half a
// millisecond there and back again.
it.each([
  ['alone, where a run costs less', 0.4, true, [1, 1, 1]],
  ['together, where a run costs more', 0.7, true, [3]],
  ['together, where they have to be written into the batch anyway', 0.4, false, [3]],
])('rows of a megabyte run %s', (_where, fixedMs, hasTensors, batches) => {
  const bounds = { maxQueuedRows: 100, maxQueuedBytes: 100 * 2 ** 20 };
  const dropped = (_job: unknown, reason: string) => expect.fail(reason);
  const queue = createModelQueue({ ...COMMON, cost: costOf((rows) => fixedMs + rows / 1000, 8), ...bounds, dropped });
  for (let job = 0; job < 3; job++) {
    const own = hasTensors ? { ...workOf(1), tensors: [], isWhole: false } : workOf(1);
    expect(queue.offer(createJob(own, 0, '', 2 ** 20), 0, 0)).toBeUndefined();
  }
  const taken: number[] = [];
  for (let batch = queue.take(0); batch !== undefined; batch = queue.take(0)) taken.push(batch.rows);
  expect(taken).toEqual(batches);
});
