// Runs that go on by other code than they began with: steps that came, went, or are something else by now.

import { beforeEach, expect, it } from 'vitest';
import type { Json } from '../../src/core/index.ts';
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

it('refuse a foreach that has fewer items than were begun, with what to do', async () => {
  await begin(pipeline([step('s', { foreach: range(5) })]), ['s[4]']);
  const { end, error, repeatFrom } = await goOn(pipeline([step('s', { foreach: range(3) })]));
  expect([end, repeatFrom]).toEqual(['failed', 's']);
  expect(error?.match(/`headrace .*?`/g)).toHaveLength(1);
  expect(await world.rowOf('s')).toMatchObject({ state: 'failed', counts: { succeeded: 4, cancelled: 1 } });
  expect((await world.store.tasks('r', 's', { from: 4 })).map(({ state }) => state)).toEqual(['cancelled']);
  expect(error).toMatch(/step "s": it has 3 items by now, and 5 were begun.*`headrace runs rerun r --from s`/);
  expect(ran).toEqual([]);
  // With the code of before it goes on as if that had not been.
  expect(await ranBy(pipeline([step('s', { foreach: range(5) })]))).toEqual(['s[4]']);
  expect(await world.rowOf('s')).toMatchObject({ children: 5, counts: { succeeded: 5, failed: 0, retry: 0 } });
});

it('refuse a group that has fewer items than were begun', async () => {
  await begin(pipeline([step('a', { in: 'g' })], [group('g', 3, 'a')]), ['a[2/0]']);
  const { end, error } = await goOn(pipeline([step('a', { in: 'g' })], [group('g', 1, 'a')]));
  expect(end).toBe('failed');
  expect(error).toMatch(/"g".*it has 1 item by now, and 3 were begun/);
  expect(await world.rowOf('g')).toMatchObject({ state: 'failed', counts: { running: 0, succeeded: 2, cancelled: 1 } });
  expect((await world.store.tasks('r', 'a', { scope: '2' })).map(({ state }) => state)).toEqual(['cancelled']);
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
