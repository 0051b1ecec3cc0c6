// What a server counts by the minute, from requests over HTTP to the rows in the registry's database and to the history that
// another server tells.

import { describe, expect, it } from 'vitest';
import { readPredictionId } from '../../src/core/index.ts';
import { openMinutes } from '../../src/monitoring/index.ts';
import { unpackHashes } from '../../src/statistics/index.ts';
import { openedForAll } from '../support/open-for.ts';
import { serveProject } from '../support/open-serving.ts';
import { createServingProject, headrace } from '../support/serving-project.ts';

interface Told {
  readonly step: string;
  readonly series: readonly {
    readonly endpoint: string | null;
    readonly variant: string | null;
    readonly service: string | null;
    readonly points: readonly Readonly<Record<string, number>>[];
  }[];
}

const project = createServingProject();
/** The one that tells; it is opened beside the one that counts. */
const other = openedForAll(() => serveProject(project));
const history = (query = '') => other.serving.server.inject(`/v1/monitoring/history${query}`);
const sum = (rows: readonly Readonly<Record<string, number>>[], name: string): number =>
  rows.reduce((total, row) => total + (row[name] ?? 0), 0);

describe('minutes of a server', () => {
  it('are of each arm as assigned, and are told by another server once they are written', async () => {
    const { app, serving } = await serveProject(project);
    const post = (url: string, payload: object, headers = {}) =>
      serving.server.inject({ method: 'POST', url, headers, payload });
    const predict = (inputs: object[], headers = {}) => post('/v1/endpoints/checkout/predict', { inputs }, headers);
    const arms = Object.entries({ stable: 1, candidate: 2 });
    const variants = arms.map(([name, version]) => ({ name, version, weight: 50 }));
    await serving.planes.control.setTraffic('checkout', { variants }, { actor: 'test', waitMs: 10_000 });
    const predicted: { variant: string; prediction_id: string }[] = [];
    for (let at = 0; at < 40; at++) {
      const customer = at % 2 === 0 ? 'ada' : `unit ${at}`;
      predicted.push(...(await predict([{ customer, amount: 30 }])).json().predictions);
    }
    const counted = (variant: string): number => predicted.filter((one) => one.variant === variant).length;
    expect(counted('stable') + counted('candidate')).toBe(40);
    // By a salt of the endpoint’s own.
    expect(counted('stable') * counted('candidate')).toBeGreaterThan(0);
    // Forced rows are of the endpoint alone.
    await predict([{ customer: 'ada', amount: 30 }], { 'x-headrace-variant': 'candidate' });
    expect((await predict([{ customer: 7 }])).statusCode).toBe(400);
    const outcomes = predicted.map(({ prediction_id: id }, at) => ({ prediction_id: id, value: at % 4 === 0 }));
    // The first is taken back by what is no number, the next is told again, another is corrected.
    const again = [{ ...outcomes[0], value: 'text' }, outcomes[1], { ...outcomes[2], value: true }];
    for (const some of [outcomes, again]) await post('/v1/endpoints/checkout/outcomes', { outcomes: some });
    await post('/v1/features/read', { service: 'numbers', rows: [{ customer: 'ada' }] });
    await serving.stop();
    await app.close();

    const told = (await history()).json() as Told;
    expect(told.step).toBe('minute');
    const pointsOf = (variant: string | null) =>
      told.series.find((one) => one.endpoint === 'checkout' && one.variant === variant)?.points ?? [];
    const sums = (variant: string | null, ...of: string[]) => of.map((name) => sum(pointsOf(variant), name));
    for (const variant of ['stable', 'candidate']) {
      expect(sums(variant, 'rows', 'requests', 'errors')).toEqual([counted(variant), counted(variant), 0]);
      expect(pointsOf(variant)[0]?.['p50_ms']).toBeGreaterThan(0);
    }
    expect(sums(null, 'requests', 'refused')).toEqual([41, 1]);
    expect(told.series.find(({ service }) => service === 'numbers')?.points[0]).toMatchObject({ requests: 1, rows: 1 });

    const command = (...args: string[]) => headrace(project, ['monitor', 'history', ...args]);
    const { stdout, stderr } = command('checkout');
    expect(stderr).toBe('');
    const shown = stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2));
    expect(shown).toContainEqual(['all', '41']);
    expect(shown).toContainEqual(['stable v1', String(counted('stable'))]);
    expect(shown).toContainEqual(['candidate v2', String(counted('candidate'))]);
    expect(command('chekout').stderr).toContain('Did you mean "checkout"');
    expect(command('checkout', '--step', 'day').code).toBe(2);
    const json = JSON.parse(command('checkout', '--json').stdout) as Told;
    expect(json.series.map(({ variant }) => variant)).toEqual([null, 'candidate', 'stable']);

    const minutes = await openMinutes(await other.app.database(), other.app.clock);
    const rows = await minutes.read({ endpoint: 'checkout', fromMicros: 0 });
    const total = (version: number, name: 'n' | 'sum') =>
      rows
        .filter((one) => one.variant === '' && one.version === version)
        .reduce((all, one) => all + (one.outcomes?.[name] ?? []).reduce((a, b) => a + b, 0), 0);
    const takenBack = predicted[0]?.variant;
    for (const [name, version] of arms) expect(total(version, 'n')).toBe(counted(name) - Number(takenBack === name));
    expect(total(1, 'sum') + total(2, 'sum')).toBe(10);
    const units = new Map<string, Set<number | undefined>>(arms.map(([name]) => [name, new Set()]));
    for (const { variant, prediction_id: id } of predicted) units.get(variant)?.add(readPredictionId(id)?.unitHash);
    const met = new Map<string, Set<number | undefined>>(arms.map(([name]) => [name, new Set()]));
    for (const row of rows) for (const hash of unpackHashes(row.units).hashes()) met.get(row.variant)?.add(hash);
    expect(met).toEqual(units);
    // Unknown customers' features are missing.
    expect(rows.reduce((all, one) => all + one.nulls, 0)).toBeGreaterThanOrEqual(20);
  });

  it.each([
    ['from=yesterday', '?from: expected timestamp'],
    ['from=2026-01-02&to=2026-01-01', '?from: expected a time before `to`'],
    ['step=day', 'step'],
    ['endpont=checkout', 'endpont'],
  ])('are refused as history in words that say what would be right: %s', async (query, part) => {
    expect((await history(`?${query}`)).json()).toMatchObject({ status: 400, detail: expect.stringContaining(part) });
  });
});
