// However a server, a balancer and the network behave: what may happen once alone is not sent again, nothing is sent past the
// deadline or sooner than the server asks, and what could be had is had. Time is a number here.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createAsk } from '../../src/client/ask.ts';
import { clientOf } from '../../src/client/create-client.ts';
import { columnsDecoderOf, decoderOf } from '../../src/client/decode-values.ts';
import { encodeRow } from '../../src/client/encode-row.ts';
import { type Api, HeadraceClientError } from '../../src/client/index.ts';
import { parseRetryAfter, waitBeforeRetry } from '../../src/client/retry.ts';
import { runs } from '../support/tier.ts';

type Status = { kind: 'status'; status: number; code: string | undefined; afterS: number | undefined };
type Event = { readonly tookMs: number } & ({ readonly kind: 'ok' | 'refused' | 'lost' | 'cut' } | Readonly<Status>);

const tookMs = fc.integer({ min: 0, max: 4000 });
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ tookMs, kind: fc.constantFrom('ok', 'refused', 'lost', 'cut') }),
  fc.record({
    tookMs,
    kind: fc.constant('status' as const),
    status: fc.constantFrom(400, 404, 409, 422, 429, 500, 502, 503, 504, 507),
    code: fc.constantFrom('HR_OVERLOADED', 'HR_DEADLINE', undefined),
    afterS: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
  }),
);

const world = fc.record({
  events: fc.array(event, { minLength: 1, maxLength: 12 }),
  retries: fc.integer({ min: 0, max: 6 }),
  // Long enough that no real clock ends it.
  timeoutMs: fc.integer({ min: 20_000, max: 90_000 }),
  isRepeatable: fc.boolean(),
  chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

interface Sent {
  readonly atMs: number;
  readonly endedMs: number;
  readonly event: Event;
}

/** What was sent when, and how the call ended. */
async function play({
  events,
  retries,
  timeoutMs,
  isRepeatable,
  chance,
}: typeof world extends fc.Arbitrary<infer W> ? W : never) {
  let nowMs = 0;
  const sent: Sent[] = [];
  const ask = createAsk(
    { url: 'http://shop.example', timeoutMs, retries, key: 'hr_key_secret' },
    {
      now: () => nowMs,
      chance: () => chance,
      sleep: async (ms) => {
        nowMs += ms;
      },
      fetch: async () => {
        const event = events[sent.length] ?? { kind: 'ok', tookMs: 0 };
        const atMs = nowMs;
        nowMs += event.tookMs;
        sent.push({ atMs, endedMs: nowMs, event });
        return answerOf(event);
      },
    },
  );
  const question = { method: 'POST', path: '/x', body: {}, isRepeatable } as const;
  try {
    return { sent, answer: (await ask(question)).body, error: undefined };
  } catch (thrown) {
    if (!(thrown instanceof HeadraceClientError)) throw thrown;
    return { sent, answer: undefined, error: thrown };
  }
}

function answerOf(event: Event): Response {
  switch (event.kind) {
    case 'ok':
      return new Response('{"fine":true}');
    case 'refused':
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
    case 'lost':
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('gone'), { code: 'UND_ERR_SOCKET' }) });
    case 'cut':
      return new Response(new ReadableStream({ start: (body) => body.error(new TypeError('terminated')) }));
    case 'status': {
      const headers = event.afterS === undefined ? {} : { 'retry-after': String(event.afterS) };
      const body = event.code === undefined ? '<html>' : JSON.stringify({ code: event.code, detail: 'no', errors: [] });
      return new Response(body, { status: event.status, headers });
    }
  }
}

/** Whether the server may have done what it was asked, or will never do it. */
function endsUnrepeatable(event: Event): boolean {
  if (event.kind === 'refused') return false;
  if (event.kind !== 'status') return true;
  return !((event.status === 429 || event.status === 503) && event.afterS !== undefined);
}

function isHopeless(event: Event): boolean {
  if (event.kind !== 'status' || ((event.status === 429 || event.status === 503) && event.afterS !== undefined))
    return false;
  return ![429, 502, 503, 504].includes(event.status) || event.code === 'HR_DEADLINE';
}

it('sends again only what may be, when it may be', async () => {
  await fc.assert(
    fc.asyncProperty(world, async (given) => {
      const { sent, answer, error } = await play(given);
      expect(sent.length).toBeLessThanOrEqual(given.retries + 1);
      for (const [at, { atMs, event }] of sent.entries()) {
        expect(atMs).toBeLessThan(given.timeoutMs);
        const next = sent[at + 1];
        if (next === undefined) continue;
        expect(event.kind).not.toBe('ok');
        expect(isHopeless(event)).toBe(false);
        if (!given.isRepeatable) expect(endsUnrepeatable(event)).toBe(false);
        const afterMs = event.kind === 'status' ? (event.afterS ?? 0) * 1000 : 0;
        expect(next.atMs - (sent[at] as Sent).endedMs).toBeGreaterThanOrEqual(afterMs);
      }
      const last = sent.at(-1)?.event;
      if (last?.kind === 'ok') expect(answer).toEqual({ fine: true });
      else expect(error).toMatchObject({ attempts: sent.length });
      expect(JSON.stringify([error?.message, error])).not.toContain('secret');
    }),
    { numRuns: runs(500) },
  );
});

it('has what can be had: with retries and time enough, a failure that may be repeated is', async () => {
  await fc.assert(
    fc.asyncProperty(world, async (given) => {
      const { sent, answer } = await play({ ...given, chance: 0 });
      const first = given.events.findIndex(({ kind }) => kind === 'ok');
      const before = given.events.slice(0, first < 0 ? given.events.length : first);
      const ends = given.isRepeatable ? isHopeless : (event: Event) => endsUnrepeatable(event) || isHopeless(event);
      const spentMs = before.reduce(
        (sum, one) => sum + one.tookMs + (one.kind === 'status' ? (one.afterS ?? 0) * 1000 : 0),
        0,
      );
      fc.pre(!before.some(ends) && before.length <= given.retries && spentMs < given.timeoutMs);
      expect(answer).toEqual({ fine: true });
      expect(sent.length).toBe(before.length + 1);
    }),
    { numRuns: runs(300) },
  );
});

it('waits at random up to a bound that doubles, never less than it is asked to', () => {
  const tries = { leftMs: 1e9, retries: 100, isRepeatable: false };
  const refused = { kind: 'unsent' } as const;
  expect([1, 2, 3, 4, 5, 6, 7, 8].map((made) => waitBeforeRetry(refused, { ...tries, made, chance: 1 }))).toEqual([
    100, 200, 400, 800, 1600, 3200, 5000, 5000,
  ]);
  expect(waitBeforeRetry(refused, { ...tries, made: 3, chance: 0 })).toBe(0);
  const busy = { kind: 'answer', status: 429, code: 'HR_OVERLOADED', retryAfterMs: 2000 } as const;
  expect(waitBeforeRetry(busy, { ...tries, made: 1, chance: 0.5 })).toBe(2050);
  expect(waitBeforeRetry(busy, { ...tries, made: 1, chance: 0.5, leftMs: 2050 })).toBe(undefined);
});

it('reads Retry-After as seconds or a date', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(parseRetryAfter('7', now)).toBe(7000);
  expect(parseRetryAfter(' 0 ', now)).toBe(0);
  expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:03 GMT', now)).toBe(3000);
  expect(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
  for (const none of [null, '', 'soon', '-3e', '9'.repeat(30), '1.5', '-1', '0x10', '2026'.repeat(3)])
    expect(parseRetryAfter(none, now)).toBe(undefined);
});

// Values go to JSON and come back as they were; and whatever answers, a call ends with a value or with the client's own error.
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
const some = (members: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(members as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] });
const every = <T>(names: string, of: T): Record<string, T> =>
  Object.fromEntries(names.split(' ').map((name) => [name, of]));
const values = fc.oneof(value, some(every('o v f g h', value)));
const few = (one: fc.Arbitrary<unknown>) => fc.oneof(value, fc.array(fc.oneof(value, one), { maxLength: 2 }));
const prediction = some({
  ...every('prediction_id version statuses error', value),
  ...every('outputs features', values),
});
const body = fc.oneof(
  fc.jsonValue(),
  some({
    predictions: few(prediction),
    rows: few(some(every('features statuses event_times', values))),
    ...every('features statuses event_times', values),
    ...every('flags variants', fc.oneof(value, fc.array(value))),
    ...every('accepted key reason code errors detail', value),
  }),
);

it('whatever answers, a call ends with a value or with the client’s error', async () => {
  const seen = { values: 0, errors: 0 };
  await fc.assert(
    fc.asyncProperty(body, fc.constantFrom(200, 200, 202, 400, 404, 500), fc.nat(8), async (answer, status, which) => {
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
    }),
    { numRuns: 1500 },
  );
  // It looks at both ends.
  expect(seen.values).toBeGreaterThan(0);
  expect(seen.errors).toBeGreaterThan(0);
});
