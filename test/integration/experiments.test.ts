// Experiments on a served project: one whose arms differ by what was planted, one whose arms are the same, and their reports
// from what the server logged and what was pushed.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { experimentReport, experimentReportDeps, registerModelFile } from '../../src/app/index.ts';
import { type AskedPhase, runBandits } from '../../src/control/index.ts';
import { fixedClock, silentLogger } from '../../src/core/index.ts';
import { openPredictionLog } from '../../src/monitoring/index.ts';
import type { ExperimentReport } from '../../src/rollouts/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { armSchema, predictionRecord } from '../support/prediction-records.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const EXPERIMENTS = `
export const again = endpoint('again', { model: returns, unit: ['customer'] });
const paid = (name: string, more: object) => metric(name, {
  sql: 'SELECT customer AS unit, bought_at AS time, amount AS value FROM purchases', over: [purchases], ...more,
});
export const exp = experiment('exp', {
  unit: ['customer'], endpoints: [checkout],
  arms: { control: { version: 1, weight: 50 }, treatment: { version: 'latest', weight: 50 } },
  metrics: {
    goal: [metric('bought', { outcome: checkout })],
    secondary: [
      paid('paid', {}),
      metric('per_row', { ratio: [{ outcome: checkout, aggregate: 'sum' }, { outcome: checkout, aggregate: 'count' }] }),
      metric('p90', { output: 'probability', quantile: 0.9 }),
    ],
  },
});
export const learning = experiment('learning', {
  unit: ['customer'], endpoints: [again],
  arms: { a: { version: 1, weight: 45 }, b: { version: 2, weight: 45 } },
  metrics: { goal: [metric('bought', { outcome: again })] },
  plan: { kind: 'bandit', every: '1d', floor: 0.05 },
});
export const same = experiment('same', {
  unit: ['customer'], endpoints: [again],
  arms: { a: { version: 1, weight: 50 }, b: { version: 1, weight: 50 } },
  metrics: { goal: [metric('bought', { outcome: again })] },
});
`;

const UNITS = 1200;
const customers = Array.from({ length: UNITS }, (_, i) => `c${i}`);

/** A number in [0, 1) that is the customer's own. */
const luck = (customer: string): number => ((Number(customer.slice(1)) * 7919) % 1009) / 1009;

describe('experiments on a server', () => {
  let open: OpenServing;
  let armOf: Map<string, number>;

  const get = async <T>(url: string, wanted = 200): Promise<T> => {
    const answer = await open.serving.server.inject({ method: 'GET', url });
    expect(answer.statusCode, answer.body).toBe(wanted);
    return answer.json() as T;
  };
  // As the process makes it that a server starts for one.
  const report = (name: string, phase?: AskedPhase): Promise<ExperimentReport> =>
    experimentReport(open.app, name, phase);
  const post = async (url: string, body: object, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await open.post(url, body, headers);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json() as unknown as { predictions: { prediction_id: string; version: number; variant: string }[] };
  };
  const predict = async (endpoint: string, of: readonly string[], headers = {}) => {
    const inputs = of.map((customer) => ({ customer, amount: 1 }));
    return (await post(`/v1/endpoints/${endpoint}/predict`, { inputs }, headers)).predictions;
  };
  /** What becomes of rows: who has luck buys, by the limit of the version. */
  const buy = (
    of: readonly string[],
    rows: readonly { readonly prediction_id: string; readonly version: number }[],
    limits: readonly [number, number],
  ) =>
    rows.map(({ prediction_id, version }, i) => ({
      prediction_id,
      value: luck(of[i] ?? '') < (limits[version - 1] ?? 0),
    }));
  const tell = (endpoint: string, outcomes: readonly { prediction_id: string; value: boolean }[]) =>
    post(`/v1/endpoints/${endpoint}/outcomes`, {
      outcomes: outcomes.map((one) => ({ ...one, observed_at: new Date().toISOString() })),
    });

  beforeAll(async () => {
    open = await openServing({
      repository: REPOSITORY.replace('endpoint, feature', 'endpoint, experiment, metric, feature') + EXPERIMENTS,
      features: 4,
    });
    const three = open.project.write('three_quarters.onnx', constantModel(4, 0.75));
    await registerModelFile(open.app, { model: 'returns', onnx: readFileSync(three) });
    const experiments = await open.app.experiments();
    await experiments.start('exp', { actor: 'ann', reason: 'a try' });
    await experiments.start('same', { actor: 'ann' });
    armOf = new Map();
    for (let from = 0; from < UNITS; from += 100) {
      const part = customers.slice(from, from + 100);
      const [once, twice, others] = [
        await predict('checkout', part),
        await predict('checkout', part),
        await predict('again', part),
      ];
      part.forEach((customer, i) => armOf.set(customer, once[i]?.version ?? 0));
      // 30 % of the control's customers buy, 45 % of the treatment's: at their first visit or at their second.
      const visits = [...buy(part, once, [0.2, 0.3]), ...buy(part, twice, [0.3, 0.45])];
      await tell('checkout', [...visits, { prediction_id: 'nobody-knows-it', value: true }]);
      await tell('again', buy(part, others, [0.3, 0.3]));
    }
  }, 60_000);
  afterAll(() => open.close());

  it('are listed with their arms, and shown with their phase', async () => {
    const { experiments } = await get<{ experiments: { name: string; state: string }[] }>('/v1/experiments');
    const states = experiments.map(({ name, state }) => `${name} ${state}`);
    expect(states).toEqual(['exp running', 'learning defined', 'same running']);
    expect(await get('/v1/experiments/exp')).toMatchObject({
      phase: 1,
      unit: ['customer'],
      control: 'control',
      endpoints: [{ endpoint: 'checkout', state: 'active' }],
      arms: [
        { name: 'control', weight: 50, versions: { checkout: 1 } },
        { name: 'treatment', weight: 50, versions: { checkout: 2 } },
      ],
      phases: [{ actor: 'ann', reason: 'a try', state: 'running', ended_at: null }],
    });
    expect(await get('/v1/experiments/exq', 404)).toMatchObject({ code: 'HR_UNKNOWN_EXPERIMENT' });
  });

  it('tell a planted difference from none', async () => {
    const exp = await report('exp');
    const bySide = [1, 2].map((version) => [...armOf.values()].filter((own) => own === version).length);
    const arms = exp.arms.map(({ name, version, units }) => `${name} version ${version}: ${units}`);
    expect(arms).toEqual([`control version 1: ${bySide[0]}`, `treatment version 2: ${bySide[1]}`]);
    const [bought, paid, perRow, p90] = exp.metrics;
    expect(bought).toMatchObject({ name: 'bought', aggregate: 'any', role: 'goal' });
    const rate = (version: number, limit: number) => {
      const own = customers.filter((customer) => armOf.get(customer) === version);
      return own.filter((customer) => luck(customer) < limit).length / own.length;
    };
    expect(bought?.arms[0]?.value).toBeCloseTo(rate(1, 0.3), 9);
    expect(bought?.arms[1]?.value).toBeCloseTo(rate(2, 0.45), 9);
    const [comparison] = bought?.comparisons ?? [];
    expect(comparison).toMatchObject({ arm: 'treatment', verdict: 'better' });
    expect(comparison?.difference.always[0]).toBeGreaterThan(0);
    expect(comparison?.difference.fixed[0]).toBeGreaterThan(comparison?.difference.always[0] as number);
    expect(exp.decision).toMatch(/^treatment is better in bought \(\+/);
    expect(perRow?.arms[0]?.value).toBeCloseTo((rate(1, 0.2) + rate(1, 0.3)) / 2, 9);
    expect(p90?.arms.map(({ value }) => value)).toEqual([0.25, 0.75]);
    expect(paid?.comparisons[0]?.difference.estimate).toBe(0);
    expect(exp.srm.is_mismatch).toBe(false);

    const same = await report('same');
    const [none] = same.metrics[0]?.comparisons ?? [];
    expect(none?.verdict).toBe('undecided');
    expect(none?.difference.always[0]).toBeLessThan(0);
    expect(none?.difference.always[1]).toBeGreaterThan(0);
    expect(same.arms.reduce((sum, { units }) => sum + units, 0)).toBe(UNITS);
  });

  it('give the same report of the same rows, and another once data comes late', async () => {
    const first = await report('exp');
    const again = await report('exp');
    expect(again.snapshot).toBe(first.snapshot);
    const events = customers
      .filter((customer) => armOf.get(customer) === 2)
      .map((customer) => ({ customer, amount: 10, points: 1, bought_at: new Date().toISOString() }));
    await post('/v1/sources/purchases/push', { rows: events });
    const later = await report('exp');
    expect(later.snapshot).not.toBe(first.snapshot);
    const paid = later.metrics.find(({ name }) => name === 'paid');
    expect(paid?.arms.map(({ value }) => value)).toEqual([0, 10]);
    const kept = await (await open.app.experiments()).reports('exp');
    expect(kept.map(({ snapshot }) => snapshot)).toEqual([later.snapshot, first.snapshot]);
    const { snapshot } = first;
    expect(await (await open.app.experiments()).report('exp', snapshot)).toMatchObject({ snapshot });
  });

  it('leave out who chose an arm', async () => {
    const before = await report('exp');
    await predict('checkout', ['chosen'], { 'x-headrace-variant': 'exp/treatment' });
    await tell('checkout', []);
    const after = await report('exp');
    expect(after.arms).toEqual(before.arms);
    expect(after.dropped.forced_rows).toBe(before.dropped.forced_rows + 1);
    expect(after.notes.join(' ')).toContain('of a forced arm left out');
  });

  it('leave out what shadows would have answered', async () => {
    const before = await report('exp');
    const { clock, config } = open.app;
    const log = openPredictionLog({ directory: config.values['predictionLog.path'], clock, logger: silentLogger });
    const requestFields = [{ name: 'customer', type: { kind: 'string' } }] as const;
    const shadow = log.arm({ ...armSchema, endpoint: 'checkout', variant: 'shadow', requestFields });
    for (const customer of customers) {
      const atMicros = clock.nowMicros();
      shadow.append(predictionRecord(`${customer}~9`, { atMicros, request: [customer], outputs: [1e6] }));
    }
    await log.close();
    const after = await report('exp');
    expect({ ...after, made_at: before.made_at }).toEqual(before);
  });

  it('begin a phase that is analysed apart where weights change, and all phases as strata', async () => {
    const experiments = await open.app.experiments();
    await experiments.reweigh('exp', { control: 20, treatment: 80 }, { actor: 'ann' });
    const part = customers.slice(0, 200);
    const rows = await predict('checkout', part);
    await tell('checkout', buy(part, rows, [0, 0]));
    const second = await report('exp');
    expect(second).toMatchObject({ phase: 2 });
    expect(second.arms.map(({ weight }) => weight)).toEqual([20, 80]);
    expect(second.arms.reduce((sum, { units }) => sum + units, 0)).toBe(200);
    const first = await report('exp', 1);
    expect(first).toMatchObject({ phase: 1, state: 'ended' });
    expect(first.arms.reduce((sum, { units }) => sum + units, 0)).toBe(UNITS);
    const all = await report('exp', 'all');
    expect(all.phase).toBe('all');
    const estimate = all.metrics[0]?.comparisons[0]?.difference.estimate as number;
    expect(estimate).toBeGreaterThan(0);
    expect(estimate).toBeLessThan(first.metrics[0]?.comparisons[0]?.difference.estimate as number);
    await expect(report('exp', 7)).rejects.toMatchObject({ status: 400 });
  });

  it('learn, where that is their plan: once a day weights go to what is better, each time in a phase of its own', async () => {
    const { app } = open;
    const experiments = await app.experiments();
    await experiments.stop('same', { actor: 'ann' });
    await experiments.start('learning', { actor: 'ann' });
    const rows: { prediction_id: string; version: number }[] = [];
    for (let from = 0; from < 600; from += 100)
      rows.push(...(await predict('again', customers.slice(from, from + 100))));
    await tell('again', buy(customers, rows, [0.3, 0.6]));
    const deps = { ...(await experimentReportDeps(app)), logger: silentLogger };
    expect(await runBandits(deps)).toEqual([]);
    const tomorrow = fixedClock(app.clock.nowMicros() + 25 * 3_600_000_000);
    expect(await runBandits({ ...deps, clock: tomorrow })).toEqual(['learning']);
    type Shown = { phases: { actor: string; reason: string; arms: { name: string; weight: number }[] }[] };
    const { phases } = await get<Shown>('/v1/experiments/learning');
    expect(phases).toHaveLength(2);
    expect(phases[1]?.actor).toBe('bandit');
    expect(phases[1]?.reason).toMatch(/^bandit: best with a chance of .* % b$/);
    // All that the arms had together; who loses keeps the floor.
    expect(phases[1]?.arms.map(({ weight }) => weight)).toEqual([4.5, 85.5]);
    const decision = expect.stringContaining('(bandit)');
    expect(await report('learning', 1)).toMatchObject({ plan: 'bandit', decision });
    await experiments.stop('learning', { actor: 'ann' });
  });

  it('end where they are stopped: everybody gets the traffic of before', async () => {
    const experiments = await open.app.experiments();
    await experiments.stop('exp', { actor: 'ann', reason: 'done' });
    const versions = (await predict('checkout', customers.slice(0, 50))).map(({ version }) => version);
    expect(new Set(versions)).toEqual(new Set([1]));
    expect(await get('/v1/experiments/exp')).toMatchObject({ state: 'ended', endpoints: [{ state: 'idle' }] });
  });
});
