// However a server, a balancer and the network behave: what may happen once alone is not sent again, nothing is sent past the
// deadline or sooner than the server asks, and what could be had is had. Time is a number here.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HeadraceClientError } from '../../src/client/index.ts';
import { createAsk } from '../../src/client/ask.ts';
import { parseRetryAfter, waitBeforeRetry } from '../../src/client/retry.ts';
import { runs } from '../support/tier.ts';

type Event = { readonly tookMs: number } & (
  | { readonly kind: 'ok' | 'refused' | 'lost' | 'cut' }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly code: string | undefined;
      readonly afterS: number | undefined;
    }
);

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
