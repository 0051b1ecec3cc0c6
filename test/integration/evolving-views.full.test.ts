// Definitions change under live traffic: every answer is the old meaning or the new, whole, and a model version goes on
// getting what it was registered with.
// twin: test/property/view-versions.test.ts > equal the oracle once readers may take them, with pushes that are kept: %s

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Meaning, startPushes, type Traffic } from '../support/evolving-project.ts';
import { type EvolvingShop, meaning, openEvolvingShop, type Shape } from '../support/evolving-shop.ts';
import { predict, push, readService } from '../support/evolving-shop.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

/** How far a command comes before it is killed, in shares of the time that a whole one takes. */
const SHARES = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
/** Of a whole one, the time is that of a process of its own, as of those that are killed. */
const TO_THE_END_MS = 60_000;
const stores = onlineStoreKinds();

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Kills a command at each share of the time that a whole one takes. One that came to its end first took less than that, and is run
 * again, to be killed sooner; at least half are killed.
 */
async function killedAt(
  shares: readonly number[],
  wholeMs: number,
  run: (afterMs: number) => Promise<number | null>,
  after: () => Promise<unknown> = async () => {},
): Promise<void> {
  let ms = wholeMs;
  let kills = 0;
  for (const share of shares) {
    for (let isKilled = false, tries = 0; !isKilled && tries < 3; tries++) {
      const start = performance.now();
      const code = await run(share * ms);
      isKilled = code === null;
      if (isKilled) kills++;
      else expect(code).toBe(0);
      ms = Math.min(ms, isKilled ? ms : performance.now() - start);
      await after();
    }
  }
  expect(kills).toBeGreaterThanOrEqual(shares.length / 2);
}

describe.each(stores)('definitions change under traffic on $name', (kind) => {
  // Commands are the same on every store: each takes its turn at the moments.
  const shares = SHARES.filter((_, at) => at % stores.length === stores.indexOf(kind));
  let shop: EvolvingShop;
  let traffic: Traffic | undefined;
  beforeEach(async () => {
    shop = await openEvolvingShop(kind);
  }, 30_000);
  afterEach(async () => {
    await traffic?.stop().catch(() => {});
    traffic = undefined;
    await shop.close();
  });

  const first = meaning('as it was', {}, 2);
  const begin = () => {
    const { url } = shop.server;
    traffic = startPushes(() => push(url));
    return { service: traffic.read(() => readService(url), first), model: traffic.read(() => predict(url), first) };
  };

  it('answers by the old meaning or the new, whole; a model by what it was registered with', async () => {
    const { headrace } = shop;
    const { service, model } = begin();
    const wide: Shape = { hasTotal: true, days: 14 };
    const renamed: Shape = { ...wide, view: 'ledger', renamedFrom: 'history' };
    const steps = [
      { what: 'a feature is added', shape: { hasTotal: true }, factor: 2, isMoved: false },
      { what: 'a window is changed', shape: wide, factor: 2, isMoved: false },
      { what: 'the view is renamed', shape: renamed, factor: 2, isMoved: true },
      { what: 'a helper is changed', shape: renamed, factor: 3, isMoved: true },
    ];
    let before: Meaning = first;
    for (const { what, shape, factor, isMoved } of steps) {
      const after = meaning(what, shape, factor);
      shop.write(shape, factor);
      service.allow(before, after);
      await headrace('apply', '--yes');
      // What no run has to fill is there at once; the rest answers as before until one has.
      if (isMoved) await service.seen(after);
      else {
        await service.seen(before);
        await headrace('materialize', '--incremental');
        await service.seen(after);
      }
      service.allow(after);
      before = after;
    }
    // What it was registered with, all the time.
    await model.seen(first);

    const second = before;
    model.allow(first, second);
    await headrace('models', 'register', 'returns', 'sum3.onnx');
    await headrace('endpoints', 'traffic', 'checkout', 'stable=2:100');
    await model.seen(second);
    model.allow(second);
    const rolledBack = meaning('rolled back', { ...wide, view: 'ledger' }, 2);
    service.allow(second, rolledBack);
    await headrace('rollback');
    await service.seen(rolledBack);
    service.allow(rolledBack);
    await service.seen(rolledBack);
    await model.seen(second);
    await traffic?.stop();
    expect(Math.min(service.answers, model.answers)).toBeGreaterThan(50);
  }, 120_000);

  it('survives a SIGKILL of apply and of the backfill at any moment', async () => {
    const { headrace } = shop;
    const { service, model } = begin();
    // The code of each is another: what is applied, half applied or not, loads and answers.
    let factor = 2;
    const factors = [first];
    const applyAnother = async (afterMs: number): Promise<number | null> => {
      shop.write({}, ++factor);
      factors.push(meaning(`factor ${factor}`, {}, factor));
      service.allow(...factors);
      return (await shop.headraceKilled(afterMs, 'apply', '--yes')).code;
    };
    const rows = '[{"customer":"ada","amount":1}]';
    const answers = () => headrace('features', 'get', '--service', 'shop_features', '--rows', rows);
    const applyMs = await timed(async () => expect(await applyAnother(TO_THE_END_MS)).toBe(0));
    await killedAt(shares, applyMs, applyAnother, answers);
    const last = factors.at(-1) as Meaning;
    await headrace('apply', '--yes');
    await service.seen(last);
    service.allow(last);

    const wide: Shape = { days: 14, hasTotal: true };
    const after = meaning('another window', wide, factor);
    shop.write(wide, factor);
    service.allow(last, after);
    const runMs = await timed(async () => {
      const whole = await shop.headraceKilled(TO_THE_END_MS, 'materialize', '--incremental', '--views', 'history');
      expect(whole).toMatchObject({ code: 0 });
    });
    await headrace('apply', '--yes');
    const { headraceKilled } = shop;
    await killedAt(shares, runMs, async (ms) => (await headraceKilled(ms, 'materialize', '--incremental')).code);
    await headrace('materialize', '--incremental');
    await service.seen(after);
    service.allow(after);
    await service.seen(after);
    await model.seen(first);
    await traffic?.stop();
  }, 120_000);
});
