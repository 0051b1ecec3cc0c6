// Monitors as a server runs them: what they find is told over HTTP, to whom it may be, and a job that stops is an alert.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPredictionLog } from '../../src/monitoring/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { headraceJson, REPOSITORY } from '../support/serving-project.ts';

const HOUR = 3_600_000_000;

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({
    repository: `${REPOSITORY}export const other = endpoint('other', { model: returns });\n`,
    features: 4,
    settings: { HEADRACE_DRIFT_EVERY: '1s', HEADRACE_QUALITY_EVERY: '1s', HEADRACE_VERIFY_EVERY: '1s' },
  });
  // What was served in the hours before, as another server's log has it.
  const { clock, config } = open.app;
  const log = openPredictionLog({
    directory: config.values['predictionLog.path'],
    clock,
    logger: silentLogger,
    flushEveryMs: 1000,
  });
  const arm = log.arm({
    endpoint: 'checkout',
    model: 'returns',
    version: 1,
    variant: 'stable',
    arm: 'before',
    requestFields: [{ name: 'customer', type: { kind: 'string' } }],
    featureFields: [{ name: 'history__purchases_1d', type: { kind: 'int64' } }],
    outputFields: [{ name: 'probability', type: { kind: 'float32' } }],
    unitFields: ['customer'],
  });
  const start = Math.floor(clock.nowMicros() / HOUR) * HOUR - 9 * HOUR;
  for (let i = 0; i < 8 * 310; i++) {
    const hour = Math.floor(i / 310);
    arm.append({
      predictionId: `earlier-${i}`,
      requestId: 'r',
      traceId: null,
      atMicros: start + hour * HOUR + (i % 310) * 1000,
      latencyMicros: 10,
      unit: [`c${i}`],
      route: null,
      experimentUnit: null,
      unitHash: 0,
      request: [`c${i}`],
      features: [BigInt(i % 7)],
      statuses: ['PRESENT'],
      outputs: [(i % 100) / 100],
    });
  }
  // An arm that served in the first of these hours alone.
  const former = log.arm({
    endpoint: 'checkout',
    model: 'returns',
    version: 1,
    variant: 'former',
    arm: 'before, too',
    requestFields: [{ name: 'customer', type: { kind: 'string' } }],
    featureFields: [{ name: 'history__purchases_1d', type: { kind: 'int64' } }],
    outputFields: [{ name: 'probability', type: { kind: 'float32' } }],
    unitFields: ['customer'],
  });
  for (let i = 0; i < 310; i++)
    former.append({
      predictionId: `former-${i}`,
      requestId: 'r',
      traceId: null,
      atMicros: start + i * 1000,
      latencyMicros: 10,
      unit: [`f${i}`],
      route: null,
      experimentUnit: null,
      unitHash: 0,
      request: [`f${i}`],
      features: [BigInt(i % 7)],
      statuses: ['PRESENT'],
      outputs: [(i % 100) / 100],
    });
  await log.recordOutcomes(
    Array.from({ length: 600 }, (_, i) => ({
      predictionId: `earlier-${i}`,
      endpoint: 'checkout',
      value: i % 100 > 40,
      observedMicros: clock.nowMicros(),
    })),
  );
  await log.close();
}, 60_000);
afterAll(() => open.close());
const get = async (url: string, headers = {}) =>
  open.serving.server.inject({ url, headers: { host: 'localhost', ...headers } });

describe('what monitors found', () => {
  it('is counted by the jobs of a server, and told over HTTP', { timeout: 60_000 }, async () => {
    const drift = async () => (await get('/v1/monitoring/drift?endpoint=checkout')).json();
    await expect.poll(async () => (await drift()).arms?.length ?? 0, { timeout: 30_000, interval: 250 }).toBe(2);
    const { features, arms } = await drift();
    expect(arms).toMatchObject([
      { variant: 'former', version: 1 },
      { variant: 'stable', version: 1, lacks: expect.stringContaining('without a training set') },
    ]);
    expect(features.map(({ feature, state }: { feature: string; state: string }) => [feature, state])).toEqual(
      expect.arrayContaining([['history__purchases_1d', 'no data']]),
    );
    await expect
      .poll(async () => (await get('/v1/monitoring/quality?endpoint=checkout')).json().arms?.length ?? 0, {
        timeout: 30_000,
        interval: 250,
      })
      .toBe(2);
    const quality = (await get('/v1/monitoring/quality?endpoint=checkout&days=3&arm=stable')).json();
    expect(quality.arms).toHaveLength(1);
    const labelled = quality.arms[0].days.reduce((sum: number, day: { labelled: number }) => sum + day.labelled, 0);
    expect(labelled).toBe(600);
    expect(quality.arms[0]).toMatchObject({ variant: 'stable', task: 'chance' });
    await expect
      .poll(async () => (await get('/v1/monitoring/skew?endpoint=checkout')).json().checks?.length ?? 0, {
        timeout: 30_000,
        interval: 250,
      })
      .toBeGreaterThan(0);
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
      expect(none.json()).toMatchObject({
        detail: 'endpoint "checkout" never had an arm "formr". Did you mean "former"?',
      });
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
      expect(unknown.json()).toMatchObject({
        code: 'HR_UNKNOWN_ENDPOINT',
        detail: expect.stringContaining('checkout'),
      });
      expect((await get(`/v1/monitoring/${what}`)).statusCode).toBe(400);
    }
    const { keys } = await open.app.registry();
    const { token } = await keys.create({ name: 'c', roles: ['read'], endpoints: ['other'] }, { actor: 'me' });
    await open.serving.security.refresh();
    const headers = { authorization: `Bearer ${token}` };
    expect((await get('/v1/monitoring/drift?endpoint=checkout', headers)).statusCode).toBe(403);
  });
});
