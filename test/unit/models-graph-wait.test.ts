// What a graph tells of waiting: its rows wait at the models of its nodes, and servers are added by what they waited.

import { expect, it } from 'vitest';
import type { PlannedModel } from '../../src/models/graph/graph-plan.ts';
import { createGraphModel } from '../../src/models/graph/graph-model.ts';
import type { Binding, LoadedModel } from '../../src/models/index.ts';
import type { ModelCore } from '../../src/models/queue/model-core.ts';
import type { Batch } from '../../src/models/queue/queued-job.ts';
import { scopeOf } from '../support/model-works.ts';
import { openCore } from '../support/open-core.ts';
import { answersOf } from '../support/row-answers.ts';

const binding: Binding = {
  check: () => undefined,
  bindRow() {},
  readRow: () => [1],
  shown: (values) => values,
  rowShapes: undefined,
  compileKey: undefined,
};

/** A run of what waits, so long after it came, give or take what submitting took. */
const takeAfter = (core: ModelCore, ms: number): Batch => core.take(performance.now() + ms) as Batch; // Rows wait.
/** What this process may have stood still for. */
const SLACK_MS = 500;

/** `first`, then `second`, which takes what `first` gives. */
function openGraph() {
  const [first, second] = [openCore(), openCore()];
  const node = (place: number, name: string, core: ModelCore): PlannedModel => ({
    kind: 'model',
    place,
    name,
    outputs: [{ name: 'p', type: { kind: 'float32' } }],
    standIns: undefined,
    isSkipped: false,
    // A graph asks a model for its queue alone.
    loaded: core as unknown as LoadedModel,
    binding,
    model: name,
    version: 1,
    sources: [{ node: place === 0 ? undefined : place - 1, at: 0 }],
    others: undefined,
    picks: undefined,
    timeoutMs: undefined,
    before: place === 0 ? [] : [place - 1],
  });
  const nodes = [node(0, 'first', first), node(1, 'second', second)];
  const graph = createGraphModel({ nodes, output: 1, outputs: undefined });
  const ask = (rows: number, scope = scopeOf()) =>
    answersOf(
      graph,
      Array.from({ length: rows }, () => [1]),
      scope,
    );
  const told = () => {
    const { queuedRows, waitMicros, waitedRows, runningRows } = graph.loaded.statistics();
    return { queuedRows, runningRows, waitedRows, waitMs: waitMicros / 1000 };
  };
  const fates = () => {
    const { rows, failures, refused } = graph.loaded.statistics();
    return { rows, failures, refused: Object.fromEntries(Object.entries(refused).filter(([, count]) => count > 0)) };
  };
  /** Rows go on to the second node once what waits for them is told. */
  const queued = (rows: number) => expect.poll(() => second.queue.rows).toBe(rows);
  return { first, second, ask, told, fates, queued };
}

it('is what its rows waited at one node after the other', async () => {
  const { first, second, ask, told, queued } = openGraph();
  const answered = ask(3);
  expect(told()).toEqual({ queuedRows: 3, runningRows: 3, waitedRows: 0, waitMs: 0 });
  first.succeeded(takeAfter(first, 1000), [], 1);
  expect(told().runningRows).toBe(3);
  expect(told().waitMs).toBeGreaterThanOrEqual(3 * 1000);
  await queued(3);
  expect(told().queuedRows).toBe(3);
  second.succeeded(takeAfter(second, 10_000), [], 1);
  expect(await answered).toEqual([[1], [1], [1]]);
  const { waitMs, ...counted } = told();
  expect(counted).toEqual({ queuedRows: 0, runningRows: 0, waitedRows: 6 });
  expect(waitMs).toBeGreaterThanOrEqual(3 * 11_000);
  expect(waitMs).toBeLessThan(3 * (11_000 + 2 * SLACK_MS));
  const own = [first, second].map((core) => core.statistics().waitMicros / 1000);
  expect(waitMs).toBeCloseTo((own[0] ?? 0) + (own[1] ?? 0), 1);
});

it('counts rows once that run again, and those of shadows never', async () => {
  const { first, second, ask, told, queued } = openGraph();
  const both = [ask(1), ask(1)];
  first.threw(takeAfter(first, 1000), 'no memory');
  const once = told();
  expect(once.waitMs).toBeGreaterThanOrEqual(2 * 1000);
  expect(once.queuedRows).toBe(0);
  for (let run = 0; run < 2; run++) first.succeeded(takeAfter(first, 5000), [], 1);
  expect(told().waitMs).toBe(once.waitMs);
  await queued(2);
  expect(told().queuedRows).toBe(2);
  second.succeeded(takeAfter(second, 0), [], 1);
  await Promise.all(both);
  const before = told();
  const shadow = ask(2, scopeOf({ priority: 'shadow' }));
  expect(told().queuedRows).toBe(2);
  first.succeeded(takeAfter(first, 9000), [], 1);
  await queued(2);
  second.succeeded(takeAfter(second, 9000), [], 1);
  await shadow;
  expect(told()).toEqual(before);
});

it('loses what leaves the queue without a run', async () => {
  const { first, ask, told, fates } = openGraph();
  const scope = scopeOf();
  const [cancelled, other] = [ask(2, scope), ask(1)];
  expect(told().queuedRows).toBe(3);
  scope.cancel();
  first.sweep(performance.now());
  expect(await cancelled).toMatchObject([{ code: 'HR_CANCELLED' }, { code: 'HR_CANCELLED' }]);
  expect(told()).toMatchObject({ queuedRows: 1, runningRows: 1, waitMs: 0 });
  await first.close(0);
  expect(await other).toMatchObject([{ code: 'HR_MODEL_NOT_READY' }]);
  expect(told()).toEqual({ queuedRows: 0, runningRows: 0, waitedRows: 0, waitMs: 0 });
  // No run failed on them.
  expect(fates()).toEqual({ rows: 0, failures: 0, refused: { cancelled: 2, closed: 1 } });
});

it('tells rows that a node’s queue has no place for from those that its run failed', async () => {
  const { first, ask, fates } = openGraph();
  const waits = ask(100);
  expect(await ask(1)).toMatchObject([{ code: 'HR_OVERLOADED' }]);
  expect(fates()).toEqual({ rows: 0, failures: 0, refused: { full: 1 } });
  await first.close(0);
  await waits;
  const other = openGraph();
  const failed = other.ask(1);
  other.first.threw(takeAfter(other.first, 0), 'no memory');
  expect(await failed).toMatchObject([{ code: 'HR_INFERENCE_FAILED' }]);
  expect(other.fates()).toEqual({ rows: 0, failures: 1, refused: {} });
});
