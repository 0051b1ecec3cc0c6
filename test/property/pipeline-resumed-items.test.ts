// Runs that go on after their items were edited, from wherever they were left: what each step gives is what a run from scratch would.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, contentHash, type Json } from '../../src/core/index.ts';
import type { Foreach, PipelineSpec } from '../../src/definitions/index.ts';
import { openResults } from '../../src/orchestrator/driver/step-results.ts';
import { graphOf } from '../../src/orchestrator/engine/graph.ts';
import { foreachCount, foreachItem } from '../../src/orchestrator/foreach.ts';
import { itemOf, placeOf, readOrder } from '../../src/orchestrator/step/order.ts';
import { onlyExecutor, openDriveWorld } from '../support/drive-world.ts';
import { createFarExecutor, failed, succeeded } from '../support/far-executor.ts';
import { plainStep as step } from '../support/plain-step.ts';
import { runs } from '../support/tier.ts';

/** What the step `source` gives, over which others may run. */
const SOURCE: readonly Json[] = [2, 'a', 2, { x: 1 }];

const value = fc.constantFrom<Json>(1, 2, 'a', null, { x: 1, y: 2 });
const foreach: fc.Arbitrary<Foreach> = fc.oneof(
  fc.array(value, { maxLength: 4 }).map((items): Foreach => ({ kind: 'items', items })),
  fc
    .tuple(fc.integer({ min: 0, max: 2 }), fc.nat(3))
    .map(([start, n]): Foreach => ({ kind: 'range', start, end: start + n })),
  fc
    .record({ lr: fc.array(value, { maxLength: 2 }), depth: fc.array(value, { maxLength: 2 }) })
    .map((axes): Foreach => ({ kind: 'grid', axes })),
  fc.constant<Foreach>({ kind: 'result', of: 'source' }),
);
const edit = fc.record({
  fit: fc.option(foreach),
  group: foreach,
  inner: fc.option(foreach),
  /** Of ten tasks, how many fail this time. */
  harm: fc.constantFrom(0, 1, 3, 5),
  dice: fc.nat(),
});
type Edit = typeof edit extends fc.Arbitrary<infer E> ? E : never;

function pipelineOf({ fit, group, inner }: Edit): PipelineSpec {
  const steps = [
    step('source'),
    step('fit', fit === null ? {} : { foreach: fit }),
    step('a', { in: 'group', ...(inner === null ? {} : { foreach: inner }) }),
    step('b', { in: 'group', needs: { a: 'a', fits: 'fit' } }),
    step('each', { foreach: { kind: 'result', of: 'group' }, needs: { fits: 'fit' } }),
    step('join', { needs: { groups: 'group', each: 'each' } }),
    step('last', { needs: { join: 'join' } }),
  ];
  return { name: 'p', params: [], steps, groups: [{ name: 'group', foreach: group, last: 'b' }] };
}

const itemsOf = (of: Foreach | null, results: ReadonlyMap<string, unknown>): Json[] =>
  of === null
    ? [null]
    : Array.from({ length: foreachCount(of, results) }, (_, at) => foreachItem(of, at, results) as Json);

/** What each step gives, as a reader would work it out. */
function evaluate({ fit, group, inner }: Edit): Readonly<Record<string, Json>> {
  const results = new Map<string, unknown>([['source', SOURCE]]);
  const plain = (all: readonly Json[], of: Foreach | null): Json => (of === null ? (all[0] ?? null) : all);
  const fits = plain(
    itemsOf(fit, results).map((item) => ['fit', {}, item, {}]),
    fit,
  );
  const groups = itemsOf(group, results).map((outer): Json => {
    const a = plain(
      itemsOf(inner, results).map((item) => ['a', { group: outer }, item, {}]),
      inner,
    );
    return ['b', { group: outer }, null, { a, fits }];
  });
  const each = groups.map((item): Json => ['each', {}, item, { fits }]);
  const join: Json = ['join', {}, null, { groups, each }];
  return { source: [...SOURCE], fit: fits, group: groups, each, join, last: ['last', {}, null, { join }] };
}

it('is that of the items of now, and no finished task of one of them runs again', async () => {
  let dropped = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 2, maxLength: 4 }), fc.boolean(), async (edits, keepsGoing) => {
      const world = await openDriveWorld();
      const { store, objects } = world;
      /** Of items of `fit`, with how many equal ones lie before: those that finished, and those that were run this time. */
      let finished = new Set<string>();
      for (const [turn, { harm, dice, ...now }] of edits.entries()) {
        const isLast = turn === edits.length - 1;
        const spec = pipelineOf({ ...now, harm, dice });
        if (turn === 0) await world.begin(spec, keepsGoing);
        else if (
          !(await store.requestResume('r', { keepDone: true, code: { pipeline: spec, manifestHash: `${turn}` } }))
        )
          return;
        const fits = itemsOf(now.fit, new Map([['source', SOURCE]])).map((item) =>
          now.fit === null ? 'none' : canonicalJson(item),
        );
        const named = fits.map((text, at) => `${text} ${fits.slice(0, at).filter((one) => one === text).length}`);
        const kept = new Set([...finished].filter((name) => named.includes(name)));
        const ends = async (at: string, index: number) => {
          const order = await readOrder(objects, at);
          const place = placeOf(order, index);
          if (order.step === 'source') return succeeded(JSON.stringify(SOURCE));
          const given = [order.step, order.items, itemOf(order, index) ?? null, order.needs];
          const name = named[place] ?? '';
          if (order.step === 'fit') expect([...kept]).not.toContain(name);
          const isBad = !isLast && Number.parseInt(contentHash([given, dice, place]).slice(0, 8), 16) % 10 < harm;
          if (order.step === 'fit' && !isBad) kept.add(name);
          return isBad ? failed : succeeded(JSON.stringify(given));
        };
        const { executor } = createFarExecutor({ ends });
        const { end, error } = await world.drive(onlyExecutor(executor), { signal: AbortSignal.timeout(20_000) });
        finished = kept;
        if (isLast) expect([end, error]).toEqual(['succeeded', null]);
        if (end !== 'succeeded') continue;
        const results = openResults({ store, objects }, { id: 'r', graph: graphOf(spec), rows: new Map() });
        for (const [name, expected] of Object.entries(evaluate({ ...now, harm, dice })))
          expect([name, await results.of(name, '')]).toEqual([name, expected]);
        const { steps } = await store.get('r');
        for (const { step: name, scope, counts, children } of steps)
          expect([name, scope, counts]).toEqual([
            name,
            scope,
            { running: 0, retry: 0, succeeded: children, failed: 0, cancelled: 0 },
          ]);
        dropped += steps.filter((row) => row.end !== row.children).length;
        // There is nothing left to go on with.
        return;
      }
    }),
    { numRuns: runs(120) },
  );
  expect(dropped).toBeGreaterThan(0);
});
