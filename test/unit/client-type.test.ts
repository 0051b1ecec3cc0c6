// What the compiler knows of a client that is typed from definitions, and from what `headrace types` writes.

import { expect, expectTypeOf, it } from 'vitest';
import { type ApiOf, type Client, createClient, type PredictRow } from '../../src/client/index.ts';
import {
  count,
  endpoint,
  entity,
  featureService,
  featureView,
  lastN,
  latest,
  model,
  onDemandView,
  pushed,
  t,
} from '../../src/index.ts';

const place = entity('place', { keys: { place: t.string() } });
const sales = pushed('sales', {
  columns: { place: t.string(), amount: t.float64(), cents: t.int64(), code: t.bytes(), sold_at: t.timestamp() },
  derive: { is_big: [t.bool(), (row) => (row.amount === null ? null : row.amount > 10)] },
  eventTime: 'sold_at',
});
const history = featureView('history', {
  entity: place,
  source: sales,
  features: {
    last_cents: latest('cents'),
    last_code: latest('code'),
    sales_1d: count().over('1d'),
    recent: lastN('amount', 3).over('1d'),
  },
});
const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64(), at: t.timestamp().optional(), trips: t.list(t.int64()).optional() } },
  features: { ratio: t.float64(), near: t.vector(2) },
  transform: ({ request }) => ({ ratio: request.amount, near: null }),
});
const service = featureService('place_features', [
  history.as('here', { place: 'origin' }),
  history.as('there', { place: 'destination' }).pick('sales_1d'),
  basket,
]);
const returns = model('returns', { features: service, outputs: { probability: t.float32(), rank: t.int64() } });
const checkout = endpoint('checkout', { model: returns, unit: ['origin'] });

interface Repository {
  readonly place: typeof place;
  readonly sales: typeof sales;
  readonly history: typeof history;
  readonly basket: typeof basket;
  readonly service: typeof service;
  readonly returns: typeof returns;
  readonly checkout: typeof checkout;
  readonly other: () => number;
}

type Shop = ApiOf<Repository>;

const api = {
  endpoints: {
    checkout: {
      request: { origin: 'string', amount: 'float64?', trips: 'list(int64)?' },
      outputs: { probability: 'float32', rank: 'int64', label: 'int64|string', near: 'vector(2)|vector(3)' },
      features: { here__last_code: 'bytes', here__near: 'vector(2)', here__seen: 'bool?' },
    },
  },
  services: { place_features: { request: { origin: 'string' }, features: { sales_1d: 'int64', at: 'timestamp' } } },
  sources: { sales: { columns: { place: 'string?', sold_at: 'timestamp' } } },
} as const;

it('has the columns of each endpoint, service and source by its own name', () => {
  expectTypeOf<Shop['endpoints']>().toEqualTypeOf<{
    readonly checkout: {
      readonly request: {
        readonly origin: 'string';
        readonly destination: 'string';
        readonly amount: 'float64';
        readonly at: 'timestamp?';
        readonly trips: 'list(int64)?';
      };
      readonly outputs: { readonly probability: 'float32'; readonly rank: 'int64' };
      readonly features: {
        readonly here__last_cents: 'int64';
        readonly here__last_code: 'bytes';
        readonly here__sales_1d: 'int64';
        readonly here__recent: 'list(float64)';
        readonly there__sales_1d: 'int64';
        readonly basket__ratio: 'float64';
        readonly basket__near: 'vector(…)';
      };
    };
  }>();
  expectTypeOf<keyof Shop['services']>().toEqualTypeOf<'place_features'>();
  expectTypeOf<Shop['sources']>().toEqualTypeOf<{
    readonly sales: {
      readonly columns: {
        readonly place: 'string?';
        readonly amount: 'float64?';
        readonly cents: 'int64?';
        readonly code: 'bytes?';
        readonly sold_at: 'timestamp?';
      };
    };
  }>();
  expectTypeOf<PredictRow<Shop, 'checkout'>>().toEqualTypeOf<{
    readonly origin: string;
    readonly destination: string;
    readonly amount: number;
    readonly at?: Date | string | null | undefined;
    readonly trips?: readonly (bigint | number | string | null)[] | null | undefined;
  }>();
});

it('takes the modules of a repository as they are', () => {
  type Flights = ApiOf<
    typeof import('../../feature_repo/delay-model.ts') & typeof import('../../feature_repo/flights.ts')
  >;
  expectTypeOf<keyof Flights['endpoints']>().toEqualTypeOf<'delay'>();
  expectTypeOf<keyof Flights['sources']>().toEqualTypeOf<'flights'>();
  expectTypeOf<PredictRow<Flights, 'delay'>>().toEqualTypeOf<{
    readonly origin: string;
    readonly destination: string;
    readonly scheduled_at: Date | string;
    readonly distance: number;
  }>();
  expectTypeOf<Flights['services']['delay_features']['features']['origin__late_rate_7d']>().toEqualTypeOf<'float64'>();
});

it('gives values as JSON has them where there are types alone', async () => {
  const client = {} as Client<Shop>;
  const made = () => createClient<Repository>({ url: 'http://127.0.0.1:1' });
  expectTypeOf(made).returns.toEqualTypeOf<Client<Shop>>();
  const row = { origin: 'a', destination: 'b', amount: 1 };
  const asked = async () => {
    const { outputs, ...rest } = await client.predict('checkout', row);
    expectTypeOf(outputs.rank).toEqualTypeOf<string | null>();
    expectTypeOf(outputs.probability).toEqualTypeOf<number | 'NaN' | 'Infinity' | '-Infinity' | null>();
    // @ts-expect-error features are asked for.
    void rest.features;
    const [seen] = await client.predictMany('checkout', [row], { features: true });
    expectTypeOf(seen?.features.here__last_code).toEqualTypeOf<string | null | undefined>();
    // @ts-expect-error no such endpoint.
    await client.predict('chekout', row);
    // @ts-expect-error a column is missing.
    await client.predict('checkout', { origin: 'a', amount: 1 });
    // @ts-expect-error no such column: the server would refuse it beside one that is absent.
    await client.predict('checkout', { ...row, atT: 'now' });
    // @ts-expect-error one row is none of many.
    await client.predict('checkout', [row]);
    // @ts-expect-error no such column, in many either.
    await client.predictMany('checkout', [{ ...row, atT: 'now' }]);
    // @ts-expect-error amount is a number.
    await client.predict('checkout', { ...row, amount: 'much' });
    const { features } = await client.readFeatures('place_features', row);
    expectTypeOf(features.here__sales_1d).toEqualTypeOf<string | null>();
    // @ts-expect-error derived columns are not pushed.
    await client.push('sales', [{ sold_at: new Date(), is_big: true }]);
    const [each] = await client.predictPartial('checkout', [row]);
    await client.tellOutcomes('checkout', [{ unit: 'a', at: new Date(), value: 1 }]);
    // @ts-expect-error the time of an outcome by its unit is `at`.
    await client.tellOutcomes('checkout', [{ unit: 'a', at: new Date(), value: 1, observedAt: new Date() }]);
    if (each !== undefined && 'error' in each) expectTypeOf(each.error.code).toEqualTypeOf<string>();
    else expectTypeOf(each?.version).toEqualTypeOf<number | undefined>();
  };
  expect(asked).toBeTypeOf('function');
});

it('gives values of TypeScript where it is given the columns', () => {
  const client = createClient({ url: 'http://127.0.0.1:1', api });
  const asked = async () => {
    const { outputs, features } = await client.predict('checkout', { origin: 'a' }, { features: true });
    expectTypeOf(outputs).toEqualTypeOf<{
      readonly probability: number | null;
      readonly rank: bigint | null;
      readonly label: string | null;
      // Which of them it is can't be told, so it stays as JSON has it.
      readonly near: readonly (number | 'NaN' | 'Infinity' | '-Infinity')[] | null;
    }>();
    expectTypeOf(features).toEqualTypeOf<{
      readonly here__last_code: Uint8Array | null;
      readonly here__near: Float32Array | null;
      readonly here__seen?: boolean | null;
    }>();
    const columns = await client.readColumns('place_features', [{ origin: 'a' }]);
    expectTypeOf(columns.features.sales_1d).toEqualTypeOf<readonly (bigint | null)[]>();
    expectTypeOf(columns.features.at).toEqualTypeOf<readonly (string | null)[]>();
    const numbers = createClient({ url: 'http://127.0.0.1:1', api, int64: 'number' });
    expectTypeOf((await numbers.predict('checkout', { origin: 'a' })).outputs.rank).toEqualTypeOf<number | null>();
    // @ts-expect-error the event time must be there.
    await client.push('sales', [{ place: 'a' }]);
  };
  expect(asked).toBeTypeOf('function');
});

it('takes any name where it knows none', () => {
  const client = createClient({ url: 'http://127.0.0.1:1' });
  const asked = async () => {
    const { outputs } = await client.predict('anything', { a: 1, b: [2n], c: null });
    expectTypeOf(outputs['x']).toEqualTypeOf<unknown>();
  };
  expect(asked).toBeTypeOf('function');
});
