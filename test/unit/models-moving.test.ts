// A model that measures quick and is not: once its runs hold the event loop up, it goes on in a thread.

import { afterAll, describe, expect, it } from 'vitest';
import { createOnnxRuntime, type LoadedModel } from '../../src/models/index.ts';
import { createInlineModel } from '../../src/models/onnx/inline-model.ts';
import { startThread } from '../../src/models/onnx/model-thread.ts';
import { openSession } from '../../src/models/onnx/ort-session.ts';
import { createSlowRuns } from '../../src/models/onnx/slow-runs.ts';
import { createRunCost } from '../../src/models/queue/run-cost.ts';
import { patientModel } from '../support/onnx-model.ts';
import { scopeOf, submitRows } from '../support/model-works.ts';
import { fullIt } from '../support/tier.ts';

const open: LoadedModel[] = [];
afterAll(() => Promise.all(open.map((model) => model.close())));

async function load(options = {}): Promise<LoadedModel> {
  const runtime = createOnnxRuntime({ isUnbounded: () => false, ...options });
  const model = await runtime.load(patientModel(), { providers: ['cpu'], mayBlock: true });
  open.push(model);
  return model;
}

/** Rounds of the patient model that take so long of a core, as this machine does them now. */
async function roundsOf(ms: number): Promise<number> {
  const model = await load({ inlineMicros: 1e6 });
  await submitRows(model, [[1]]);
  let shortestMs = Infinity;
  for (let at = 0; at < 3; at++) {
    const before = process.threadCpuUsage();
    await submitRows(model, [[10_000]]);
    const { user, system } = process.threadCpuUsage(before);
    shortestMs = Math.min(shortestMs, (user + system) / 1000);
  }
  return Math.round((10_000 * ms) / shortestMs);
}

/**
 * The longest that this thread computed, in milliseconds, between two turns of a timer such as a health check has. By its
 * own time: on a busy machine the timer is late for others' sake too.
 */
function watchTurns(): () => number {
  let [longestMs, before] = [0, process.threadCpuUsage()];
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    longestMs = Math.max(longestMs, (user + system) / 1000);
    before = process.threadCpuUsage();
  };
  const timer = setInterval(look, 5);
  return () => {
    clearInterval(timer);
    look();
    return longestMs;
  };
}

describe('a model on the event loop whose run takes seconds', () => {
  // twin: test/unit/models-moving.test.ts > answers what waited for the thread, and closes while it is opened
  fullIt('is in a thread for the next, which holds up nobody and is told in time', { timeout: 60_000 }, async () => {
    const [long, longer] = [await roundsOf(250), await roundsOf(1000)];
    const model = await load();
    expect(model.placement).toBe('inline');
    expect(await submitRows(model, [[long]])).toEqual([long]);
    expect(model.placement).toBe('threads');

    const longestTurn = watchTurns();
    let isAnswered = false;
    // Given while the thread is still being opened: they wait for it.
    const told = submitRows(model, [[longer]]).finally(() => (isAnswered = true));
    const late = submitRows(model, [[longer]], scopeOf({ timeoutMs: 300 }));
    await expect(late).rejects.toMatchObject({ code: 'HR_DEADLINE' });
    expect(isAnswered).toBe(false);
    expect(await told).toEqual([longer]);
    expect(longestTurn()).toBeLessThan(50);
    expect(model.statistics()).toMatchObject({ rows: 2, failures: 0, queuedRows: 0, runningRows: 0 });
    await model.close();
  });

  it('answers what waited for the thread, and closes while it is opened', async () => {
    const long = await roundsOf(250);
    const model = await load();
    const told = [long, 1, 2, 3].map((value) => submitRows(model, [[value]], scopeOf({ timeoutMs: 20_000 })));
    const closed = told[0]?.then(() => model.close());
    expect((await Promise.all(told)).flat()).toEqual([long, 1, 2, 3]);
    await closed;
  });

  it('stays where it is as long as its runs are quick', async () => {
    const model = await load();
    for (let at = 0; at < 200; at++) await submitRows(model, [[at % 3]]);
    expect(model.placement).toBe('inline');
  });
});

it('waits for a thread that could not be opened at first, and tells those in time who can not wait', async () => {
  const onnx = patientModel();
  const cpu = ['cpu'];
  const session = openSession(onnx, cpu, 1);
  let attempts = 0;
  const model = createInlineModel(session, {
    signature: session.signature,
    mode: 'joined',
    cost: createRunCost({
      measured: { fixedMicros: 100, rowMicros: 0, loadMicros: 1000 },
      maxBatchRows: 1,
      longestRunMs: () => 250,
    }),
    maxQueuedRows: 10,
    maxQueuedBytes: 1e6,
    silenceFloorMs: 1000,
    longMs: 0.001,
    tooLongMs: 0.001,
    isAlone: false,
    async openAnother() {
      if (++attempts < 4) throw new Error('no memory');
      const thread = startThread();
      const order = { onnx: new Uint8Array(onnx), intraOpThreads: 1, measures: false, providerShare: 1 };
      await thread.open({ ...order, providers: cpu }, 10_000);
      return thread;
    },
  });
  const submit = (value: number, timeoutMs: number): Promise<unknown> =>
    submitRows(model as unknown as LoadedModel, [[value]], scopeOf({ timeoutMs })).catch(
      ({ code }: { code: string }) => code,
    );
  expect(await submit(1, 30_000)).toEqual([1]);
  expect(await Promise.all([submit(2, 30_000), submit(3, 100)])).toEqual([[2], 'HR_DEADLINE']);
  expect([attempts, model.placement]).toEqual([4, 'threads']);
  await model.close(1000);
  await model.stop(1000);
});

describe('runs are too slow for the event loop', () => {
  const watch = () => createSlowRuns({ expectedMs: (rows) => 0.1 * rows, longMs: 5, tooLongMs: 100 });

  it('once one takes longer than anything may', () => {
    expect(watch().observe(1, 101, 0)).toBe(true);
    expect(watch().observe(1000, 101, 0)).toBe(true);
  });

  it('when several within a minute take many times what they should', () => {
    const slow = watch();
    const found = Array.from({ length: 10 }, (_, at) => slow.observe(1, 20, 1000 * at));
    expect(found.indexOf(true)).toBe(5);
    // Runs that are quick change nothing about it.
    const among = watch();
    const all = Array.from({ length: 600 }, (_, at) => among.observe(1, at % 100 === 0 ? 20 : 0.1, 10 * at));
    expect(all.indexOf(true)).toBe(500);
  });

  it.each([
    ['one is slow now and then', 1, 40, 61_000],
    ['they are large', 40, 19, 1],
    ['they are short', 1, 4, 1],
  ])('not when %s', (_what, rows, ms, everyMs) => {
    const slow = watch();
    for (let at = 0; at < 100; at++) expect(slow.observe(rows, ms, everyMs * at)).toBe(false);
  });
});
