// Random endpoints behind an HTTP server, asked by the flag systems' own SDKs: each gives every unit what its requests are routed
// to. Statsig's does where the user carries its buckets, for whatever can be said in its words.

import { configureCache, type FeatureDefinition, GrowthBook, GrowthBookClient } from '@growthbook/growthbook';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import fastify, { type FastifyInstance } from 'fastify';
import fc from 'fast-check';
import { StatsigServer } from 'statsig-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Actor, silentLogger } from '../../src/core/index.ts';
import { BUCKETS, type Variant } from '../../src/registry/index.ts';
import { bucketOf, compileRoutes, experimentFeature, unitAttribute } from '../../src/rollouts/index.ts';
import { createBytesInFlight } from '../../src/serving/bytes-in-flight.ts';
import { type FlagPlan, flagsOf } from '../../src/serving/flags/flag.ts';
import { statsigSpecs } from '../../src/serving/flags/statsig-specs.ts';
import { holdBodies } from '../../src/serving/http/body-parser.ts';
import { addGrowthBookRoutes, type FlagRoutesOptions } from '../../src/serving/http/flags/growthbook-routes.ts';
import { addOfrepRoutes } from '../../src/serving/http/flags/ofrep-routes.ts';
import { addStatsigRoutes } from '../../src/serving/http/flags/statsig-routes.ts';
import { addJsonBody } from '../../src/serving/http/json-body.ts';
import { createRequestLog } from '../../src/serving/http/request-log.ts';
import {
  type Attributes,
  attributes,
  attributesOf,
  COLUMNS,
  endpoint,
  experiment,
  rowOf,
} from '../support/random-traffic.ts';
import { isFull, runs } from '../support/tier.ts';

let app: FastifyInstance;
let url: string;
let plan: FlagPlan;
// They tell of what they can't know, such as an operator, and of requests.
const told: unknown[] = [];
const consoleError = console.error;

beforeAll(async () => {
  console.error = (...words: unknown[]) => void told.push(words);
  configureCache({ disableCache: true, backgroundSync: false });
  app = fastify();
  const body = { bodyLimitBytes: 1e6, bytes: createBytesInFlight(1e8) };
  const everybody: Actor = { name: 'all', roles: new Set(['read']), endpoints: null };
  app.decorateRequest('actor', null as unknown as Actor);
  app.addHook('onRequest', (request, _reply, done) => {
    request.actor = everybody;
    done();
  });
  holdBodies(app);
  addJsonBody(app, body);
  const control = { flagPlans: () => [plan] } as unknown as FlagRoutesOptions['control'];
  const log = createRequestLog(silentLogger, 'errors', () => {});
  const options = { control, log, gate: { isOpen: () => false } };
  const streamed = { maxStreams: 1, isStillAdmitted: () => Promise.resolve(true), logger: silentLogger };
  await app.register(async (scope) => addGrowthBookRoutes(scope, options, streamed));
  await app.register(async (scope) => addOfrepRoutes(scope, options));
  await app.register(async (scope) => addStatsigRoutes(scope, { ...options, ...body, onExposures: () => {} }));
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  console.error = consoleError;
  await app.close();
});

/** What SDKs make of a flag's requests. */
type Ask = (requests: readonly Attributes[]) => Promise<readonly unknown[]>;

/** Random traffic with requests, as `ask` has them and as they are routed. `use`: false for what can't be asked. */
async function agrees(ask: Ask, use: () => boolean, most: number): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(endpoint, fc.array(attributes, { minLength: 10, maxLength: 10 }), async (given, requests) => {
      const { unit, rules, holdout, salt, variants, experiments } = given;
      const spec = { unit, rules, ...(holdout === undefined ? {} : { holdout }) };
      const traffic = { name: 'ep', salt, variants, experiments };
      // An SDK has one attribute `unit`.
      const units = [unit, ...experiments.map((one) => one.unit)];
      fc.pre(new Set(units.filter(({ length }) => length > 1).map((one) => one.join())).size < 2);
      // Of a state and a spec these parts alone are asked for.
      plan = { state: { ...traffic, revision: 1 }, spec, requestColumns: OPTIONAL } as unknown as FlagPlan;
      fc.pre(use());
      const routes = compileRoutes(traffic, spec, COLUMNS);
      const routed = requests.map((request) => {
        const row = rowOf(request);
        const own = routes.unitOf(row, 'r');
        const route = routes.of(row, 'r', own, routes.hashOf(own));
        seen.add(route.via);
        return routes.arms[route.place]?.name;
      });
      expect(await ask(requests.map((request) => attributesOf(request, units)))).toEqual(routed);
    }),
    { numRuns: runs(most) },
  );
  return seen;
}

/** As for a request whose unit may be null: none. */
const OPTIONAL = COLUMNS.map((column) => ({ ...column, isOptional: true }));

/** The few runs of the quick tier may miss one. */
const expectEveryWay = (seen: ReadonlySet<string>): void => {
  if (isFull) expect(seen).toEqual(new Set(['rule', 'holdout', 'experiment', 'rollout', 'no_unit']));
};

describe('an endpoint’s flag', () => {
  it('is the same in GrowthBook’s SDK as for requests', async () => {
    const ask: Ask = async (requests) => {
      const client = new GrowthBookClient({ apiHost: url, clientKey: 'k' });
      expect(await client.init({ skipCache: true })).toMatchObject({ success: true });
      const values = requests.map((given) => client.evalFeature('ep', { attributes: given }).value as unknown);
      client.destroy();
      return values;
    };
    expectEveryWay(await agrees(ask, () => true, 400));
  }, 60_000);

  it('is the same by OFREP', async () => {
    const provider = new OFREPProvider({ baseUrl: url });
    const ask: Ask = (requests) =>
      Promise.all(
        requests.map(async (given) => {
          const context = { ...given } as Parameters<typeof provider.resolveStringEvaluation>[2];
          return (await provider.resolveStringEvaluation('ep', '', context)).value;
        }),
      );
    expectEveryWay(await agrees(ask, () => true, 60));
  }, 60_000);

  it('is the same in Statsig’s SDK of users that carry their buckets, where it can be said', async () => {
    const ask: Ask = async (requests) => {
      let text = '{}';
      const options = { api: `${url}/v1`, rulesUpdatedCallback: (specs: string) => void (text = specs) };
      const statsig = new StatsigServer('secret-k', { ...options, initStrategyForIP3Country: 'none' });
      await statsig.initializeAsync();
      const { headrace } = JSON.parse(text) as ReturnType<typeof statsigSpecs>;
      const values = requests.map((given) => {
        const buckets = headrace.buckets.map(({ field, seed, unit }) => [field, bucketOf(seed, String(given[unit]))]);
        const user = { userID: 'u', customIDs: given, custom: { ...given, ...Object.fromEntries(buckets) } };
        // Their types know of texts alone.
        const asked = user as unknown as Parameters<typeof statsig.getConfigSync>[0];
        return statsig.getConfigWithExposureLoggingDisabledSync(asked, 'ep').value['variant'];
      });
      await statsig.shutdownAsync();
      return values;
    };
    const isSaid = (): boolean => statsigSpecs(flagsOf([plan], null)).dynamic_configs.some(({ name }) => name === 'ep');
    expectEveryWay(await agrees(ask, isSaid, 60));
  }, 60_000);
});

describe('an experiment in GrowthBook’s SDK', () => {
  it('gives an experiment’s units the same arm as a flag of the experiment’s name', () => {
    fc.assert(
      fc.property(experiment('one'), fc.array(attributes, { minLength: 20, maxLength: 20 }), (one, requests) => {
        const whole: readonly Variant[] = [{ name: 'stable', version: 1, weight: 100, ranges: [[0, BUCKETS]] }];
        const traffic = { name: 'ep', salt: 's', variants: whole, experiments: [one] };
        const routes = compileRoutes(traffic, { unit: ['uid'] }, COLUMNS);
        // What is exported is JSON.
        const f = JSON.parse(JSON.stringify(experimentFeature(one))) as FeatureDefinition;
        for (const request of requests) {
          const row = rowOf(request);
          const own = routes.unitOf(row, 'r');
          const route = routes.of(row, 'r', own, routes.hashOf(own));
          const growthbook = new GrowthBook({ attributes: attributesOf(request, [one.unit]), features: { f } });
          expect(growthbook.evalFeature('f')).toMatchObject({
            value: route.experiment === null ? null : route.variant,
          });
        }
      }),
      { numRuns: runs(200) },
    );
  });

  it('names the unit by its column, of several columns by `unit`', () => {
    expect([['uid'], ['uid', 'account'], []].map(unitAttribute)).toEqual(['uid', 'unit', 'request_id']);
  });
});
