// What a server counts by the minute, from requests over HTTP to the rows in the registry's database and to the history that
// another server tells.

import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { readPredictionId, silentLogger } from '../../src/core/index.ts';
import { openMinutes } from '../../src/monitoring/index.ts';
import { unpackHashes } from '../../src/statistics/index.ts';
import { createServingProject, headrace, type Project } from '../support/serving-project.ts';

interface Told {
  readonly step: string;
  readonly series: readonly {
    readonly endpoint: string | null;
    readonly variant: string | null;
    readonly service: string | null;
    readonly view: string | null;
    readonly points: readonly Readonly<Record<string, number>>[];
  }[];
}

describe('minutes of a server', () => {
  let project: Project;
  const opened: { app: App; serving: Serving }[] = [];

  const open = async (): Promise<{ app: App; serving: Serving; server: FastifyInstance }> => {
    const environment = { ...readEnvironment({}), workingDirectory: project.directory };
    const app = await openApp({ environment, logger: silentLogger });
    const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false });
    opened.push({ app, serving });
    return { app, serving, server: serving.server };
  };
  beforeAll(() => {
    project = createServingProject();
  }, 60_000);
  afterAll(async () => {
    for (const { app, serving } of opened) {
      await serving.stop();
      await app.close();
    }
    project.remove();
  });

  const post = (server: FastifyInstance, url: string, body: object, headers = {}) =>
    server.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json', ...headers },
      payload: JSON.stringify(body),
    });
  const sum = (rows: readonly Readonly<Record<string, number>>[], name: string): number =>
    rows.reduce((total, row) => total + (row[name] ?? 0), 0);

  it('are of each arm as assigned, and are told by another server once they are written', async () => {
    const { serving, server } = await open();
    const variants = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    await serving.planes.control.setTraffic('checkout', { variants }, { actor: 'test', waitMs: 10_000 });
    const predicted: { variant: string; prediction_id: string }[] = [];
    for (let at = 0; at < 40; at++) {
      const inputs = [{ customer: at % 2 === 0 ? 'ada' : `unit ${at}`, amount: 30 }];
      const { predictions } = (await post(server, '/v1/endpoints/checkout/predict', { inputs })).json();
      predicted.push(...predictions);
    }
    const counted = (variant: string): number => predicted.filter((one) => one.variant === variant).length;
    expect(counted('stable') * counted('candidate')).toBeGreaterThan(0);
    // Forced rows are of the endpoint alone.
    const forced = { inputs: [{ customer: 'ada', amount: 30 }] };
    await post(server, '/v1/endpoints/checkout/predict', forced, { 'x-headrace-variant': 'candidate' });
    expect((await post(server, '/v1/endpoints/checkout/predict', { inputs: [{ customer: 7 }] })).statusCode).toBe(400);
    const outcomes = predicted.map(({ prediction_id: id }, at) => ({ prediction_id: id, value: at % 4 === 0 }));
    // The first is taken back by what is no number, the next is told again, another is corrected.
    const again = [{ ...outcomes[0], value: 'text' }, outcomes[1], { ...outcomes[2], value: true }];
    for (const some of [outcomes, again]) await post(server, '/v1/endpoints/checkout/outcomes', { outcomes: some });
    await post(server, '/v1/features/read', { service: 'numbers', rows: [{ customer: 'ada' }] });
    await serving.stop();

    const other = await open();
    const told = (await other.server.inject('/v1/monitoring/history')).json() as Told;
    expect(told.step).toBe('minute');
    const pointsOf = (variant: string | null) =>
      told.series.find((one) => one.endpoint === 'checkout' && one.variant === variant)?.points ?? [];
    for (const variant of ['stable', 'candidate']) {
      expect(sum(pointsOf(variant), 'rows')).toBe(counted(variant));
      expect(sum(pointsOf(variant), 'requests')).toBe(counted(variant));
      expect(sum(pointsOf(variant), 'errors')).toBe(0);
      expect(pointsOf(variant)[0]?.['p50_ms']).toBeGreaterThan(0);
    }
    expect(sum(pointsOf(null), 'requests')).toBe(41);
    expect(sum(pointsOf(null), 'refused')).toBe(1);
    expect(told.series.find(({ service }) => service === 'numbers')?.points[0]).toMatchObject({ requests: 1, rows: 1 });

    const { stdout, stderr } = headrace(project, ['monitor', 'history', 'checkout']);
    expect(stderr).toBe('');
    const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
    const shown = lines.map(([arm, requests]) => [arm, requests]);
    expect(shown).toContainEqual(['all', '41']);
    expect(shown).toContainEqual(['stable v1', String(counted('stable'))]);
    expect(shown).toContainEqual(['candidate v2', String(counted('candidate'))]);
    expect(headrace(project, ['monitor', 'history', 'chekout']).stderr).toContain('Did you mean "checkout"');
    expect(headrace(project, ['monitor', 'history', 'checkout', '--step', 'day']).code).toBe(2);
    const json = JSON.parse(headrace(project, ['monitor', 'history', 'checkout', '--json']).stdout) as Told;
    expect(json.series.map(({ variant }) => variant)).toEqual([null, 'candidate', 'stable']);

    const minutes = await openMinutes(await other.app.database(), other.app.clock);
    const rows = await minutes.read({ endpoint: 'checkout', fromMicros: 0 });
    const of = (version: number) => rows.filter((one) => one.variant === '' && one.version === version);
    const total = (version: number, name: 'n' | 'sum') =>
      of(version).reduce((all, one) => all + (one.outcomes?.[name] ?? []).reduce((a, b) => a + b, 0), 0);
    const takenBack = predicted[0]?.variant;
    expect(total(1, 'n')).toBe(counted('stable') - Number(takenBack === 'stable'));
    expect(total(2, 'n')).toBe(counted('candidate') - Number(takenBack === 'candidate'));
    expect(total(1, 'sum') + total(2, 'sum')).toBe(10);
    const units = new Map<string, Set<number | undefined>>();
    for (const { variant, prediction_id: id } of predicted)
      units.set(variant, (units.get(variant) ?? new Set()).add(readPredictionId(id)?.unitHash));
    const met = new Map([...units.keys()].map((name) => [name, new Set<number | undefined>()]));
    for (const row of rows) for (const hash of unpackHashes(row.units).hashes()) met.get(row.variant)?.add(hash);
    expect(met).toEqual(units);
    // Unknown customers' features are missing.
    const nulls = rows.reduce((all, one) => all + one.nulls, 0);
    expect(nulls).toBeGreaterThanOrEqual(20);
  });

  it('are refused as history in words that say what would be right', async () => {
    const { server } = opened.at(-1)?.serving ?? (await open());
    const ask = async (query: string) => {
      const answer = await server.inject(`/v1/monitoring/history?${query}`);
      return [answer.statusCode, answer.json().detail as string] as const;
    };
    const cases = [
      ['from=yesterday', '?from: expected timestamp'],
      ['from=2026-01-02&to=2026-01-01', '?from: expected a time before `to`'],
      ['step=day', 'step'],
      ['endpont=checkout', 'endpont'],
    ] as const;
    for (const [query, part] of cases) {
      const [status, detail] = await ask(query);
      expect([query, status, detail]).toEqual([query, 400, expect.stringContaining(part)]);
    }
  });
});
