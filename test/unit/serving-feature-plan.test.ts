// What stands in for features while the store is down: every one that is made from it says so.

import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { resolveService } from '../../src/definitions/index.ts';
import {
  endpoint,
  entity,
  featureService,
  featureView,
  latest,
  model,
  onDemandView,
  pushed,
  t,
} from '../../src/index.ts';
import type { OnlineStore, RecordDirectory } from '../../src/online/index.ts';
import { compileFeaturePlan } from '../../src/serving/feature-plan.ts';
import { compile } from '../support/written-definitions.ts';

it('marks what is computed from stand-ins INVALID, and not what is made of the request alone', () => {
  const customer = entity('customer', { keys: { customer: t.string() } });
  const columns = { customer: t.string(), pages: t.float64(), at: t.timestamp() };
  const visits = pushed('visits', { columns, eventTime: 'at' });
  const features = { pages: latest('pages').default(3), last: latest('at') };
  const seen = featureView('seen', { entity: customer, source: visits, features });
  const basket = onDemandView('basket', {
    inputs: { request: { amount: t.float64() } },
    features: { root: t.float64() },
    transform: ({ request }) => ({ root: Math.sqrt(request.amount ?? 0) }),
  });
  const twice = onDemandView('twice', {
    inputs: { seen },
    features: { pages: t.float64(), none: t.float64() },
    transform: ({ seen: { pages } }) => ({ pages: (pages ?? 0) * 2, none: null }),
  });
  const sums = onDemandView('sums', {
    inputs: { twice, basket },
    features: { sum: t.float64() },
    transform: (given) => ({ sum: (given.twice.pages ?? 0) + (given.basket.root ?? 0) }),
  });
  const numbers = featureService('numbers', [seen, basket, twice, sums]);
  const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
  const checkout = endpoint('checkout', { model: returns, unit: ['customer'], whenStoreDown: 'defaults' });
  const definitions = compile({ customer, visits, seen, basket, twice, sums, numbers, returns, checkout });
  const service = resolveService(definitions.manifest, 'numbers');
  // Nothing is read.
  const plan = compileFeaturePlan(definitions, service, {} as OnlineStore, {} as RecordDirectory, 'inputs');
  const row = plan.parseRow({ customer: 'ada', amount: 16 }, 0, []);
  const [stoodIn] = plan.defaults([row]);
  if (stoodIn === undefined || stoodIn instanceof HeadraceError) throw new Error('no row');
  expect(service.features.map(({ name }, at) => [name, stoodIn.values[at], stoodIn.statuses[at]])).toEqual([
    ['seen__pages', 3, 'INVALID'],
    ['seen__last', null, 'INVALID'],
    ['basket__root', 4, 'PRESENT'],
    ['twice__pages', 6, 'INVALID'],
    ['twice__none', null, 'INVALID'],
    ['sums__sum', 10, 'INVALID'],
  ]);
});
