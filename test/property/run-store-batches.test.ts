// Random batches of random drivers give the rows that a naive reading of them gives, the same on every database.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import type { Batch, StepKey, TaskChange, TaskCounts } from '../../src/orchestrator/engine/batch.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { StoredEvent, StoredStep, StoredTask } from '../../src/orchestrator/rows/run-store.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { newRun, NO_TASKS, pipeline } from '../support/run-rows.ts';
import { runs } from '../support/tier.ts';

/** What is done: a batch by the driver that has the run, the same batch again, one by who had it before; or another takes it over. */
type Deed = { readonly kind: 'flush' | 'again' | 'stale'; readonly batch: Batch } | { readonly kind: 'take over' };

const key = fc.record({ step: fc.constantFrom('fan', 'end'), scope: fc.constantFrom('', '3', '3/1') });
const time = fc.option(fc.nat(2 ** 50), { nil: null });
const text = fc.option(fc.string({ unit: 'grapheme', maxLength: 6 }), { nil: null });
const STATES = ['running', 'retry', 'succeeded', 'failed', 'cancelled'] as const;
const nine = fc.nat(9);
const counts: fc.Arbitrary<TaskCounts> = fc.record({
  running: nine,
  retry: nine,
  succeeded: nine,
  failed: nine,
  cancelled: nine,
});
const task: fc.Arbitrary<TaskChange> = fc
  .record({
    at: key,
    index: fc.nat(11),
    expects: fc.option(fc.integer({ min: 1, max: 2 }), { nil: null, freq: 4 }),
    state: fc.constantFrom(...STATES),
    attempt: fc.integer({ min: 1, max: 2 }),
    failures: fc.nat(3),
    losses: fc.nat(3),
    notBefore: fc.nat(2 ** 50),
    output: fc.option(
      fc.oneof(
        fc.jsonValue().map((value) => ({ json: JSON.stringify(value) })),
        fc.record({ blob: fc.constant('f'.repeat(64)) }),
      ),
      { nil: null },
    ),
    error: text,
    from: text,
    slice: text,
    code: fc.constantFrom(null, 'bundle:b'),
    startedAt: time,
    endedAt: time,
  })
  .map(({ at, ...change }) => ({ ...at, ...change }));
const batch: fc.Arbitrary<Batch> = fc.record({
  run: fc.option(fc.record({ state: fc.constant('running' as const), error: text, endedAt: time }), { nil: null }),
  steps: fc.array(
    fc
      .record({
        at: key,
        state: fc.constantFrom('waiting' as const, 'open' as const, 'failed' as const),
        children: fc.option(fc.nat(20), { nil: null }),
        nextIndex: fc.nat(20),
        end: fc.option(fc.nat(20), { nil: null }),
        counts,
        order: text,
        items: fc.constantFrom(null, 'blob:i'),
        placement: fc.constantFrom(null, 'blob:p'),
        error: text,
        openedAt: time,
        endedAt: time,
      })
      .map(({ at, ...change }) => ({ ...at, ...change })),
    { maxLength: 3 },
  ),
  // A task is claimed for the first time once.
  fresh: fc.uniqueArray(
    fc
      .record({
        at: key,
        from: fc.nat(8),
        count: fc.integer({ min: 1, max: 4 }),
        slice: fc.constantFrom('s', 't'),
        code: fc.constantFrom(null, 'c'),
      })
      .map(({ at, ...claims }) => ({ ...at, ...claims, at: 1 })),
    { selector: ({ step, scope }) => `${step} ${scope}`, maxLength: 3 },
  ),
  tasks: fc.array(task, { maxLength: 12 }),
  dropped: fc.constant([]),
  slices: fc.constant([]),
  pools: fc.constant([]),
  cached: fc.constant([] as const),
  events: fc.array(
    fc.record(
      {
        at: fc.nat(2 ** 50),
        kind: fc.constantFrom('succeeded', 'failed'),
        step: fc.constant('fan'),
        scope: fc.constantFrom('', '3'),
        index: fc.nat(9),
        count: fc.integer({ min: 1, max: 5 }),
        attempt: fc.integer({ min: 1, max: 3 }),
        message: fc.string({ unit: 'grapheme', maxLength: 6 }),
      },
      { requiredKeys: ['at', 'kind'] },
    ),
    { maxLength: 4 },
  ),
});
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom(...(['flush', 'again', 'stale'] as const)), batch }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take over' as const) }) },
);

interface Told {
  readonly run: { readonly error: string | null; readonly endedAt: number | null };
  readonly steps: readonly StoredStep[];
  readonly tasks: readonly StoredTask[];
  readonly events: readonly StoredEvent[];
  readonly refused: number;
}

const clean = (given: string | null): string | null => given?.replaceAll('\0', '\ufffd').toWellFormed() ?? null;
const nameOf = ({ step, scope }: StepKey): string => `${step} ${scope}`;

/** One change after another, as the words of the batch's types have it. */
function naive(deeds: readonly Deed[]): Told {
  const steps = new Map<string, StoredStep>();
  const tasks = new Map<string, StoredTask>();
  const events: StoredEvent[] = [];
  let run: Told['run'] = { error: null, endedAt: null };
  let refused = 0;
  for (const { name: step } of pipeline.steps) {
    const nothing = { children: null, end: null, order: null, items: null, placement: null, error: null };
    const never = { openedAt: null, endedAt: null };
    steps.set(`${step} `, { step, scope: '', state: 'waiting', nextIndex: 0, counts: NO_TASKS, ...nothing, ...never });
  }
  const none = { number: 0, step: null, scope: null, index: null, count: null, attempt: null, message: null };
  events.push({ ...none, at: 5, kind: 'created' });
  for (const one of deeds) {
    if (one.kind === 'stale' || one.kind === 'take over') continue;
    const { batch } = one;
    if (batch.run !== null) run = { error: clean(batch.run.error), endedAt: batch.run.endedAt };
    for (const change of batch.steps)
      steps.set(nameOf(change), { ...change, end: change.end ?? change.children, error: clean(change.error) });
    for (const { step, scope, from, count, slice, at, code } of batch.fresh) {
      for (let index = from; index < from + count; index++) {
        const name = `${step} ${scope} ${index}`;
        const first = { failures: 0, losses: 0, notBefore: 0, output: null, error: null, from: null, endedAt: null };
        if (tasks.has(name)) refused++;
        else
          tasks.set(name, { step, scope, index, state: 'running', attempt: 1, ...first, slice, code, startedAt: at });
      }
    }
    for (const { expects, ...change } of batch.tasks) {
      const name = `${change.step} ${change.scope} ${change.index}`;
      const row = tasks.get(name);
      const isOpen = row?.state === 'running' || row?.state === 'retry';
      const applies = expects === null ? row?.state !== 'succeeded' : isOpen && row.attempt === expects;
      if (applies) tasks.set(name, { ...change, error: clean(change.error) });
      else refused++;
    }
    for (const event of batch.events) events.push({ ...none, ...event, message: clean(event.message ?? null) });
  }
  return { run, steps: sorted([...steps.values()]), tasks: sorted([...tasks.values()]), events, refused };
}

const sorted = <T extends StepKey & { readonly index?: number }>(rows: readonly T[]): T[] =>
  rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : (a.index ?? 0) - (b.index ?? 0)));

describe.each(testDatabases('random batches of runs'))('on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  it('rows are what a naive reading of the batches gives', { timeout: 120_000 }, async () => {
    const database = await openDatabase(await databases.newUrl());
    onTestFinished(() => database.close());
    const store = await openRunStore(database, fixedClock(5));
    let ids = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { maxLength: 8 }), async (deeds) => {
        const id = `r${++ids}`;
        await store.create(newRun(id));
        let { epoch } = await store.take(id, 'elsewhere/1/aa');
        let number = 0;
        let refused = 0;
        for (const one of deeds) {
          if (one.kind === 'take over') {
            await store.release(id, epoch);
            ({ epoch } = await store.take(id, 'elsewhere/1/aa'));
            number = 0;
          } else if (one.kind === 'stale') {
            await expect(store.flush(id, epoch - 1, number + 1, one.batch)).rejects.toMatchObject({
              code: 'HR_CONFLICT',
            });
          } else {
            refused += (await store.flush(id, epoch, ++number, one.batch)).refused;
            if (one.kind === 'again') expect((await store.flush(id, epoch, number, one.batch)).refused).toBe(0);
          }
        }
        const { run, steps } = await store.get(id);
        const tasks: StoredTask[] = [];
        for (const { step, scope } of await keysOf(id)) tasks.push(...(await store.tasks(id, step, { scope })));
        const events = (await store.events(id))
          .filter(({ kind }) => kind !== 'interrupted')
          .map((event) => ({ ...event, number: 0 }));
        const { error, endedAt } = run;
        const told = { run: { error, endedAt }, steps: sorted(steps), tasks: sorted(tasks), events, refused };
        expect(told).toEqual(naive(deeds));
      }),
      { numRuns: runs(100) },
    );

    async function keysOf(id: string): Promise<readonly StepKey[]> {
      return database
        .tables<{ pipeline_tasks: { run_id: string; step: string; scope: string } }>()
        .selectFrom('pipeline_tasks')
        .select(['step', 'scope'])
        .distinct()
        .where('run_id', '=', id)
        .execute();
    }
  });
});
