// Values go to JSON and come back as they were; and whatever answers, a call ends with a value or with the client's own error.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Api, HeadraceClientError } from '../../src/client/index.ts';
import { createAsk } from '../../src/client/ask.ts';
import { clientOf } from '../../src/client/create-client.ts';
import { columnsDecoderOf, decoderOf } from '../../src/client/decode-values.ts';
import { encodeRow } from '../../src/client/encode-row.ts';

interface Column {
  readonly type: string;
  /** Beside null. */
  readonly value: unknown;
}

const number = fc.oneof(
  fc.double({ noDefaultInfinity: false }).map((value) => (Object.is(value, -0) ? 0 : value)),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const scalar: fc.Arbitrary<Column> = fc.oneof(
  fc.record({ type: fc.constant('int64'), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ type: fc.constant('float64'), value: number }),
  fc.record({ type: fc.constant('bool'), value: fc.boolean() }),
  fc.record({ type: fc.constant('string'), value: fc.string({ unit: 'binary' }) }),
  fc.record({ type: fc.constant('bytes'), value: fc.uint8Array({ maxLength: 100 }) }),
  fc.record({
    type: fc.constant('vector(3)'),
    value: fc.float32Array({ minLength: 3, maxLength: 3 }).map((items) => items.map((item) => item + 0)),
  }),
);
/** Lists are of one type. */
const column: fc.Arbitrary<Column> = fc.oneof(
  scalar,
  fc.tuple(scalar, fc.array(fc.boolean(), { maxLength: 4 })).map(([{ type, value }, nulls]) => ({
    type: `list(${type})`,
    value: nulls.map((isNull) => (isNull ? null : value)),
  })),
  scalar.map(({ type, value }) => ({ type: `list(list(${type}))`, value: [[value, null], null, []] })),
);

it('values of every type come back as they went', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.tuple(column, fc.boolean())), (columns) => {
      const entries = Object.entries(columns);
      const types = Object.fromEntries(
        entries.map(([name, [{ type }, isOptional]]) => [name, isOptional ? `${type}?` : type]),
      );
      const row = Object.fromEntries(entries.map(([name, [{ value }]]) => [name, value]));
      const wire = JSON.parse(JSON.stringify(encodeRow(row, 'row'))) as Record<string, unknown>;
      expect(decoderOf(types, 'bigint')(wire, 'row')).toEqual(row);
      const byColumn = Object.fromEntries(Object.entries(wire).map(([name, value]) => [name, [value, null]]));
      const both = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, [value, null]]));
      expect(columnsDecoderOf(types, 'bigint')(byColumn, 'columns')).toEqual(both);
    }),
    { numRuns: 300 },
  );
});

const API: Api = {
  endpoints: {
    checkout: { request: { a: 'int64' }, outputs: { o: 'int64', v: 'vector(2)' }, features: { f: 'bytes' } },
  },
  services: { numbers: { request: { a: 'int64' }, features: { f: 'list(int64)', g: 'bytes', h: 'float64' } } },
  sources: { sales: { columns: { a: 'int64' } } },
};

// Near what a server says, so that much of it is taken.
const value = fc.oneof(fc.jsonValue(), fc.constantFrom('1', 'NaN', 'AQI=', '!', [1, 2], ['1', null], {}, null));
const values = fc.oneof(value, fc.record({ o: value, v: value, f: value, g: value, h: value }, { requiredKeys: [] }));
const prediction = fc.oneof(
  value,
  fc.record(
    { prediction_id: value, outputs: values, version: value, features: values, statuses: value, error: value },
    { requiredKeys: [] },
  ),
);
const featureRow = fc.oneof(
  value,
  fc.record({ features: values, statuses: values, event_times: values }, { requiredKeys: [] }),
);
const body = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      predictions: fc.oneof(value, fc.array(prediction, { maxLength: 2 })),
      rows: fc.oneof(value, fc.array(featureRow, { maxLength: 2 })),
      features: values,
      statuses: values,
      event_times: values,
      accepted: value,
      flags: fc.oneof(value, fc.array(value)),
      variants: fc.oneof(value, fc.array(value)),
      key: value,
      reason: value,
      code: value,
      errors: value,
      detail: value,
    },
    { requiredKeys: [] },
  ),
);
const METHODS = 9;

it('whatever answers, a call ends with a value or with the client’s error', async () => {
  const seen = { values: 0, errors: 0 };
  await fc.assert(
    fc.asyncProperty(
      body,
      fc.constantFrom(200, 200, 202, 400, 404, 500),
      fc.nat(METHODS - 1),
      async (answer, status, which) => {
        const fetch = () => Promise.resolve(new Response(JSON.stringify(answer), { status }));
        const client = clientOf(createAsk({ url: 'http://shop.example', retries: 0 }, { fetch }), API, 'bigint');
        const calls: (() => Promise<unknown>)[] = [
          () => client.predict('checkout', { a: 1 }),
          () => client.predictPartial('checkout', [{ a: 1 }, { a: 2 }]),
          () => client.readFeatures('numbers', { a: 1 }),
          () => client.readColumns('numbers', [{ a: 1 }]),
          () => client.push('sales', [{ a: 1 }]),
          () => client.tellOutcomes('checkout', [{ predictionId: 'p', value: 1 }]),
          () => client.flags({}),
          () => client.endpoint('checkout'),
          () => client.health(),
        ];
        try {
          await calls[which]?.();
          seen.values++;
        } catch (thrown) {
          seen.errors++;
          if (!(thrown instanceof HeadraceClientError)) throw thrown;
          expect(Array.isArray(thrown.errors)).toBe(true);
        }
      },
    ),
    { numRuns: 1500 },
  );
  // It looks at both ends.
  expect(seen.values).toBeGreaterThan(10);
  expect(seen.errors).toBeGreaterThan(100);
});
