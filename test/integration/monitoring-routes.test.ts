// Monitors as a server runs them: what they find is told over HTTP, to whom it may be, and a job that stops is an alert.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDrift } from '../../src/app/open-drift.ts';
import { openQuality } from '../../src/app/open-quality.ts';
import { openSkew } from '../../src/app/open-skew.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openPredictionLog } from '../../src/monitoring/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { predictionRecord } from '../support/prediction-records.ts';
import { headraceJson, REPOSITORY } from '../support/serving-project.ts';
import { isFull } from '../support/tier.ts';

const HOUR = 3_600_000_000;

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({
    repository: `${REPOSITORY}export const other = endpoint('other', { model: returns });\n`,
    features: 4,
    settings: { HEADRACE_DRIFT_EVERY: '1s', HEADRACE_QUALITY_EVERY: '1s', HEADRACE_VERIFY_EVERY: '1s' },
    // In the full tier the server's own jobs count, each in a process of its own.
    serve: { compacts: isFull },
  });
  // What was served in the hours before, as another server's log has it.
  const { clock, config } = open.app;
  const directory = config.values['predictionLog.path'];
  const log = openPredictionLog({ directory, clock, logger: silentLogger, flushEveryMs: 1000 });
  const start = Math.floor(clock.nowMicros() / HOUR) * HOUR - 9 * HOUR;
  const serve = (variant: string, hours: number): void => {
    const arm = log.arm({
      endpoint: 'checkout',
      model: 'returns',
      version: 1,
      variant,
      arm: `before ${variant}`,
      requestFields: [{ name: 'customer', type: { kind: 'string' } }],
      featureFields: [{ name: 'history__purchases_1d', type: { kind: 'int64' } }],
      outputFields: [{ name: 'probability', type: { kind: 'float32' } }],
      unitFields: ['customer'],
    });
    for (let i = 0; i < hours * 310; i++) {
      const atMicros = start + Math.floor(i / 310) * HOUR + (i % 310) * 1000;
      const own = { atMicros, unit: [`${variant}${i}`], request: [`${variant}${i}`], outputs: [(i % 100) / 100] };
      arm.append(predictionRecord(`${variant}-${i}`, { ...own, features: [BigInt(i % 7)], statuses: ['PRESENT'] }));
    }
  };
  serve('stable', 8);
  // It served in the first of these hours alone.
  serve('former', 1);
  const observedMicros = clock.nowMicros();
  const told = { endpoint: 'checkout', observedMicros };
  await log.recordOutcomes(
    Array.from({ length: 600 }, (_, i) => ({ ...told, predictionId: `stable-${i}`, value: i % 100 > 40 })),
  );
  await log.close();
  if (isFull) return;
  const { signal } = new AbortController();
  for (const monitor of [openDrift, openQuality, openSkew]) await (await monitor(open.app)).run(signal);
});
afterAll(() => open.close());
const get = async (url: string, headers = {}) =>
  open.serving.server.inject({ url, headers: { host: 'localhost', ...headers } });

describe('what monitors found', () => {
  it('is counted by monitors, and told over HTTP', async () => {
    const LONG = { timeout: 60_000, interval: 250 };
    const of = async (what: string, list: string): Promise<number> =>
      (await get(`/v1/monitoring/${what}?endpoint=checkout`)).json()[list]?.length ?? 0;
    await expect.poll(() => of('drift', 'arms'), LONG).toBe(2);
    const { features, arms } = (await get('/v1/monitoring/drift?endpoint=checkout')).json();
    expect(arms).toMatchObject([
      { variant: 'former', version: 1 },
      { variant: 'stable', version: 1, lacks: expect.stringContaining('without a training set') },
    ]);
    expect(features.map(({ feature, state }: { feature: string; state: string }) => [feature, state])).toEqual(
      expect.arrayContaining([['history__purchases_1d', 'no data']]),
    );
    await expect.poll(() => of('quality', 'arms'), LONG).toBe(2);
    const quality = (await get('/v1/monitoring/quality?endpoint=checkout&days=3&arm=stable')).json();
    expect(quality.arms).toHaveLength(1);
    const labelled = quality.arms[0].days.reduce((sum: number, day: { labelled: number }) => sum + day.labelled, 0);
    expect(labelled).toBe(600);
    expect(quality.arms[0]).toMatchObject({ variant: 'stable', task: 'chance' });
    await expect.poll(() => of('skew', 'checks'), LONG).toBeGreaterThan(0);
  });

  it('is of the arms that serve, or did in the time that is asked about, or of one that is named', async () => {
    const arms = async (query: string): Promise<string[]> => {
      const answer = await get(`/v1/monitoring/drift?endpoint=checkout${query}`);
      return (answer.json() as { arms: { variant: string }[] }).arms.map(({ variant }) => variant);
    };
    expect(await arms('')).toEqual(['former', 'stable']);
    expect(await arms('&limit=3')).toEqual(['stable']);
    expect(await arms('&arm=former&limit=3')).toEqual(['former']);
    for (const what of ['drift', 'quality']) {
      const none = await get(`/v1/monitoring/${what}?endpoint=checkout&arm=formr`);
      expect(none.statusCode).toBe(400);
      const detail = 'endpoint "checkout" never had an arm "formr". Did you mean "former"?';
      expect(none.json()).toMatchObject({ detail });
      const named = headraceJson(open.project, [what, 'checkout', '--arm', 'former']) as { arms: object[] };
      expect(named.arms).toMatchObject([{ variant: 'former' }]);
    }
    const shown = headraceJson(open.project, ['drift', 'checkout', '--limit', '3']) as { arms: object[] };
    expect(shown.arms).toMatchObject([{ variant: 'stable' }]);
  });

  it('of an endpoint that is none, or another’s, is refused', async () => {
    for (const what of ['drift', 'quality', 'skew']) {
      const unknown = await get(`/v1/monitoring/${what}?endpoint=chekout`);
      expect(unknown.statusCode).toBe(404);
      const detail = expect.stringContaining('checkout');
      expect(unknown.json()).toMatchObject({ code: 'HR_UNKNOWN_ENDPOINT', detail });
      expect((await get(`/v1/monitoring/${what}`)).statusCode).toBe(400);
    }
    const { keys } = await open.app.registry();
    const { token } = await keys.create({ name: 'c', roles: ['read'], endpoints: ['other'] }, { actor: 'me' });
    await open.serving.security.refresh();
    const headers = { authorization: `Bearer ${token}` };
    expect((await get('/v1/monitoring/drift?endpoint=checkout', headers)).statusCode).toBe(403);
  });
});
