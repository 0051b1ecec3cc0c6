// GrowthBook's own SDK, given what is exported of an experiment, gives every unit the arm that requests are routed to. Whole endpoints:
// flags.test.ts.

import { type FeatureDefinition, GrowthBook } from '@growthbook/growthbook';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKETS, type Variant } from '../../src/registry/index.ts';
import { compileRoutes, experimentFeature, unitAttribute } from '../../src/rollouts/index.ts';
import { type Attributes, attributes, attributesOf, COLUMNS, experiment, rowOf } from '../support/random-traffic.ts';
import { runs } from '../support/tier.ts';

function evaluate(feature: unknown, given: Attributes): unknown {
  // What is exported is JSON.
  const features = JSON.parse(JSON.stringify({ f: feature })) as Record<string, FeatureDefinition>;
  const growthbook = new GrowthBook({ attributes: given, features });
  return growthbook.evalFeature('f');
}

// It tells of what it can't know, such as an operator.
const told: unknown[] = [];
const consoleError = console.error;
beforeAll(() => void (console.error = (...words: unknown[]) => void told.push(words)));
afterAll(() => void (console.error = consoleError));

describe('an experiment in GrowthBook’s SDK', () => {
  it('gives an experiment’s units the same arm as a flag of the experiment’s name', () => {
    fc.assert(
      fc.property(experiment('one'), fc.array(attributes, { minLength: 20, maxLength: 20 }), (one, requests) => {
        const whole: readonly Variant[] = [{ name: 'stable', version: 1, weight: 100, ranges: [[0, BUCKETS]] }];
        const traffic = { name: 'ep', salt: 's', variants: whole, experiments: [one] };
        const routes = compileRoutes(traffic, { unit: ['uid'] }, COLUMNS);
        for (const request of requests) {
          const row = rowOf(request);
          const own = routes.unitOf(row, 'r');
          const route = routes.of(row, 'r', own, routes.hashOf(own));
          const theirs = evaluate(experimentFeature(one), attributesOf(request, [one.unit]));
          expect(theirs).toMatchObject({ value: route.experiment === null ? null : route.variant });
        }
      }),
      { numRuns: runs(200) },
    );
  });

  it('names the unit by its column, of several columns by `unit`', () => {
    expect([['uid'], ['uid', 'account'], []].map(unitAttribute)).toEqual(['uid', 'unit', 'request_id']);
  });
});
