// Runs that go on by other code than they began with: steps that came, went, or are something else by now.

import { sql } from 'kysely';
import { beforeEach, expect, it } from 'vitest';
import { HeadraceError, type Json } from '../../src/core/index.ts';
import type { GroupSpec, PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { openResults } from '../../src/orchestrator/driver/step-results.ts';
import { graphOf } from '../../src/orchestrator/engine/graph.ts';
import { paramsOfNow } from '../../src/orchestrator/run-params.ts';
import { readOrder } from '../../src/orchestrator/step/order.ts';
import { type DriveWorld, onlyExecutor, openDriveWorld, range } from '../support/drive-world.ts';
import { createFarExecutor, failed, succeeded, type TaskEnd } from '../support/far-executor.ts';
import { plainStep as step } from '../support/plain-step.ts';

let world: DriveWorld;
/** Tasks by their places, as `fit[3/1]`, since the run was last driven. */
let ran: string[] = [];
beforeEach(async () => void (world = await openDriveWorld()));

const group = (name: string, count: number, last: string): GroupSpec => ({ name, foreach: range(count), last });
const pipeline = (steps: readonly StepSpec[], groups: readonly GroupSpec[] = []): PipelineSpec => ({
  name: 'p',
  params: [],
  steps,
  ...(groups.length === 0 ? {} : { groups }),
});

/** Each task gives its place. */
function drive(fails: readonly string[] = []) {
  ran = [];
  const ends = async (spec: string, index: number): Promise<TaskEnd> => {
    const { step: name, scope } = await readOrder(world.objects, spec);
    const place = `${name}[${scope === '' ? '' : `${scope}/`}${index}]`;
    ran.push(place);
    return fails.includes(place) ? failed : succeeded(JSON.stringify(place));
  };
  const { executor } = createFarExecutor({ ends });
  return world.drive(onlyExecutor(executor), { signal: AbortSignal.timeout(5000) });
}
async function begin(spec: PipelineSpec, fails: readonly string[]): Promise<void> {
  await world.begin(spec, true);
  expect(await drive(fails)).toMatchObject({ end: 'failed' });
}
async function goOn(spec: PipelineSpec, params = {}) {
  await world.store.requestResume('r', { keepDone: true, code: { pipeline: spec, manifestHash: 'n', params } });
  return await drive();
}
/** By other code it comes to its end; gives what ran, sorted. */
async function ranBy(spec: PipelineSpec): Promise<readonly string[]> {
  expect(await goOn(spec)).toMatchObject({ end: 'succeeded' });
  return ran.toSorted();
}
async function resultOf(name: string): Promise<Json> {
  const { store, objects } = world;
  const { run } = await store.get('r');
  return await openResults({ store, objects }, { id: 'r', graph: graphOf(run.spec), rows: new Map() }).of(name, '');
}

it('run a step that a group has since, in each item that was begun, and what waits for it', async () => {
  const a = step('a', { in: 'g' });
  await begin(pipeline([a], [group('g', 3, 'a')]), ['a[1/0]']);
  const b = step('b', { in: 'g', needs: { a: 'a' } });
  const now = pipeline([a, b, step('after', { needs: { g: 'g' } })], [group('g', 3, 'a')]);
  expect(await ranBy(now)).toEqual(['a[1/0]', 'after[0]', 'b[0/0]', 'b[1/0]', 'b[2/0]']);
  expect(ran.at(-1)).toBe('after[0]');
  expect(await world.rowOf('g')).toMatchObject({ counts: { succeeded: 3, running: 0 } });
  expect(await resultOf('g')).toEqual(['a[0/0]', 'a[1/0]', 'a[2/0]']);
});

it('run a step of a group that failed and has another name by now', async () => {
  const [a, b] = [step('a', { in: 'g' }), step('b', { in: 'g', needs: { a: 'a' } })];
  await begin(pipeline([a, b], [group('g', 3, 'b')]), ['b[1/0]']);
  const c = step('c', { in: 'g', needs: { a: 'a' } });
  expect(await ranBy(pipeline([a, c], [group('g', 3, 'c')]))).toEqual(['c[0/0]', 'c[1/0]', 'c[2/0]']);
  expect(await resultOf('g')).toEqual(['c[0/0]', 'c[1/0]', 'c[2/0]']);
});

it('begin anew with what has become a group, a step, or lies in another one', async () => {
  await begin(pipeline([step('x', { foreach: range(3) }), step('y'), step('z')]), ['x[1]', 'z[0]']);
  const moved = [step('in', { in: 'x' }), step('y', { in: 'x' }), step('z')];
  const again = ['in[0/0]', 'in[1/0]', 'y[0/0]', 'y[1/0]', 'z[0]'];
  expect(await ranBy(pipeline(moved, [group('x', 2, 'in')]))).toEqual(again);
  expect(await resultOf('x')).toEqual(['in[0/0]', 'in[1/0]']);
});

it('leave out of a group what it has no more, though that is what failed', async () => {
  const [a, b] = [step('a', { in: 'g' }), step('b', { in: 'g', needs: { a: 'a' } })];
  await begin(pipeline([a, b], [group('g', 3, 'a')]), ['b[1/0]']);
  expect(await ranBy(pipeline([a], [group('g', 3, 'a')]))).toEqual([]);
  expect(await world.rowOf('g')).toMatchObject({ counts: { succeeded: 3, running: 0 } });
});

it('open a group in a group again, with those around it, where it has a step since', async () => {
  const inner = { ...group('inner', 2, 'a'), in: 'outer' };
  const [a, last] = [step('a', { in: 'inner' }), step('last', { in: 'outer', needs: { inner: 'inner' } })];
  await begin(pipeline([a, last, step('f')], [group('outer', 2, 'last'), inner]), ['f[0]']);
  const b = step('b', { in: 'inner', needs: { a: 'a' } });
  const now = pipeline([a, b, last, step('f')], [group('outer', 2, 'last'), { ...inner, last: 'b' }]);
  expect(await ranBy(now)).toEqual(['b[0/0/0]', 'b[0/1/0]', 'b[1/0/0]', 'b[1/1/0]', 'f[0]']);
  expect(await world.rowOf('outer')).toMatchObject({ state: 'succeeded', counts: { succeeded: 2, running: 0 } });
});

it('run items that a group has since, as a step runs those of its foreach', async () => {
  const of = (items: number, groups: number) =>
    pipeline([step('a', { in: 'g' }), step('s', { foreach: range(items) })], [group('g', groups, 'a')]);
  await begin(of(2, 2), ['a[1/0]', 's[1]']);
  expect(await ranBy(of(3, 4))).toEqual(['a[1/0]', 'a[2/0]', 'a[3/0]', 's[1]', 's[2]']);
  expect(await resultOf('g')).toEqual(['a[0/0]', 'a[1/0]', 'a[2/0]', 'a[3/0]']);
});

it('give what runs from then on the parameters of the code of now', async () => {
  const one = pipeline([step('s')]);
  await begin(one, ['s[0]']);
  const now: PipelineSpec = { ...one, params: [{ name: 'seed', type: { kind: 'int32' }, default: 7 }] };
  const params = paramsOfNow(now, { gone: 1 });
  expect(params).toEqual({ seed: 7 });
  expect(await goOn(now, params)).toMatchObject({ end: 'succeeded' });
  const { run, steps } = await world.store.get('r');
  expect(run.params).toEqual({ seed: 7 });
  expect((await readOrder(world.objects, steps[0]?.order ?? '')).params).toEqual({ seed: 7 });
  expect(paramsOfNow(now, { seed: 8, gone: 1 })).toEqual({ seed: 8 });
  expect(paramsOfNow(now, { seed: 8 }, { seed: '9' })).toEqual({ seed: 9 });
  // What was never asked for is a mistake of whoever asks for it now.
  expect(() => paramsOfNow(now, {}, { gone: 1 })).toThrow(/params.gone/);
});

const items = (...list: readonly Json[]) => ({ foreach: { kind: 'items', items: list } }) as const;
/** What a step's tasks that have ended gave, as `resultOf`, and what runs since is told by its item. */
async function runItems(before: PipelineSpec, fails: readonly string[], now: PipelineSpec) {
  await begin(before, fails);
  return {
    ran: await ranBy(now),
    edits: (await world.store.edits('r')).map(({ step: of, message }) => `${of} ${message}`),
  };
}

it.each([
  ['fewer', ['a', 'b', 'c'], ['c'], [], ['s[2]'], 'items: 1 kept, 0 new, 2 dropped'],
  [
    'in another order',
    ['a', 'b', 'c'],
    ['c', 'b', 'a'],
    [],
    ['s[2]', 's[1]', 's[0]'],
    'items: 3 kept, in another order',
  ],
  ['none', ['a', 'b'], [], [], [], 'items: 0 kept, 0 new, 2 dropped'],
  [
    'equal ones',
    ['a', 'a', 'b'],
    ['a', 'a', 'a'],
    ['s[3]'],
    ['s[0]', 's[1]', 's[3]'],
    'items: 2 kept, 1 new, 1 dropped',
  ],
  ['of another type', [1], ['1'], ['s[1]'], ['s[1]'], 'items: 0 kept, 1 new, 1 dropped'],
] as const)('of a finished step has items that are %s', async (_what, was, is, ranAnew, result, words) => {
  const other = step('other');
  const before = pipeline([step('s', items(...was)), other]);
  const found = await runItems(before, ['other[0]'], pipeline([step('s', items(...is)), other]));
  expect(found.ran).toEqual([...ranAnew, 'other[0]'].toSorted());
  expect(found.edits).toEqual(['s its foreach was changed', `s ${words}`]);
  expect(await resultOf('s')).toEqual(result);
  expect(await world.rowOf('s')).toMatchObject({ state: 'succeeded', children: is.length });
});

it.each([
  ['was added to', {}, items(null), ['s[1]'], ['s[1]'], 'it runs over items since: 1 new'],
  ['was taken from', items('a', 'b'), {}, ['s[2]'], 's[2]', 'it runs over no items any more: 2 items dropped'],
] as const)(
  'of a finished step, where a foreach %s it, has what runs by now',
  async (_what, was, is, ranAnew, result, words) => {
    const other = step('other');
    const found = await runItems(pipeline([step('s', was), other]), ['other[0]'], pipeline([step('s', is), other]));
    expect([found.ran, found.edits.at(-1)]).toEqual([['other[0]', ...ranAnew], `s ${words}`]);
    expect(await resultOf('s')).toEqual(result);
  },
);

it('keeps the rows of items that it has no more apart, and ends what runs of them', async () => {
  await world.begin(pipeline([step('s', items('a', 'b', 'c'))]), true);
  const cancelled: string[] = [];
  const far = createFarExecutor();
  const cancel: typeof far.executor.cancel = async (handles) => {
    for (const { slice } of handles) cancelled.push(slice);
  };
  // Its driver dies while all of them run, which they go on to do.
  const died = new AbortController();
  const flush: typeof world.store.flush = async (...given) => {
    if (died.signal.aborted) throw new HeadraceError('HR_CONFLICT', 'it is dead');
    return await world.store.flush(...given);
  };
  const seen = { ...world.store, flush };
  const driving = world.drive(onlyExecutor({ ...far.executor, cancel }), { signal: died.signal, seen });
  await expect.poll(() => far.running.size).toBe(3);
  died.abort();
  await expect(driving).rejects.toThrow('it is dead');
  await world.store.release('r', 1);
  cancelled.length = 0;
  const sliceOf = new Map(far.submitted.map(({ id, tasks }) => [tasks[0]?.index, id]));
  const now = pipeline([step('s', items('d', 'b'))]);
  await world.store.requestResume('r', { keepDone: true, code: { pipeline: now, manifestHash: 'n' } });
  const again = world.drive(onlyExecutor({ ...far.executor, cancel }), { signal: AbortSignal.timeout(5000) });
  await expect.poll(() => far.submitted.length).toBe(4);
  expect(cancelled.toSorted()).toEqual([sliceOf.get(0), sliceOf.get(2)].toSorted());
  // What a dropped task gives all the same is heard by nobody.
  far.endAll();
  expect(await again).toMatchObject({ end: 'succeeded' });
  const { rows } = await sql<{ item_index: number; state: string }>`
    select item_index, state from pipeline_dropped_tasks order by item_index`.execute(world.database.tables());
  expect(rows).toEqual([
    { item_index: 0, state: 'cancelled' },
    { item_index: 2, state: 'cancelled' },
  ]);
  expect((await world.store.tasks('r', 's')).map(({ index, state }) => [index, state])).toEqual([
    [1, 'succeeded'],
    [3, 'succeeded'],
  ]);
});
