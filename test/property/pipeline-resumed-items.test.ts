// Runs that go on after their items were edited, from wherever they were left: what each step gives is what a run from scratch would.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, contentHash } from '../../src/core/index.ts';
import { openResults } from '../../src/orchestrator/driver/step-results.ts';
import { graphOf } from '../../src/orchestrator/engine/graph.ts';
import { itemOf, placeOf, readOrder } from '../../src/orchestrator/step/order.ts';
import { onlyExecutor, openDriveWorld } from '../support/drive-world.ts';
import { edit, evaluate, itemsOf, pipelineOf, SOURCE } from '../support/edited-pipeline.ts';
import { createFarExecutor, failed, succeeded } from '../support/far-executor.ts';
import { runs } from '../support/tier.ts';

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
