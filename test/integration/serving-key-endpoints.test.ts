// What a key that is kept to endpoints is told of what belongs to endpoints: lists are cut after it was left what is its own, what
// is another's is not there, and an experiment takes all of its endpoints, wherever it is asked for.

import { describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { BY, openForAll } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const REPO = `${REPOSITORY.replace('endpoint, feature', 'endpoint, experiment, metric, rollout, feature')}
export const other = endpoint('other', { model: returns, unit: ['customer'] });
const arms = { control: { version: 1, weight: 40 }, treatment: { version: 1, weight: 40 } };
const of = (at: number) => ({
  unit: ['customer'], arms, namespace: { name: 'room', range: [at, at + 0.2] as [number, number] } });
const goal = [metric('bought', { outcome: checkout })];
export const alone = experiment('alone', { ...of(0), endpoints: [checkout], metrics: { goal } });
export const crossing = experiment('crossing', {
  ...of(0.2), endpoints: [checkout], metrics: { goal, secondary: [metric('returned', { outcome: other })] },
});
export const calm = rollout('calm', { endpoint: other });
export const spanning = experiment('spanning', { ...of(0.4), endpoints: [checkout, other], metrics: { goal } });
`;

type Json = Record<string, unknown>;

const keys: Record<string, string> = {};
const open = openForAll({ repository: REPO, features: 4 }, async ({ app, serving }) => {
  await registerModelFile(app, { model: 'returns', onnx: Buffer.from(constantModel(4, 0.75)) });
  const registry = await app.registry();
  await registry.endpoints.setTraffic('other', { variants: [{ name: 'stable', version: 1, weight: 100 }] }, BY);
  const OWN = { checkout: ['checkout'], other: ['other'], both: ['checkout', 'other'], none: [] };
  for (const [name, endpoints] of Object.entries(OWN))
    keys[name] = (await registry.keys.create({ name, roles: ['read', 'experiment'], endpoints }, BY)).token;
  await serving.security.refresh();
  const experiments = await app.experiments();
  for (const name of ['alone', 'crossing', 'spanning']) await experiments.start(name, BY);
  await serving.planes.control.refresh();
});

async function ask(key: string, url: string, payload?: object): Promise<{ readonly status: number; body: Json }> {
  const headers = { authorization: `Bearer ${keys[key]}` };
  const sent = payload === undefined ? { method: 'GET' as const } : { method: 'POST' as const, payload };
  const answer = await open.serving.server.inject({ url, headers, ...sent });
  return { status: answer.statusCode, body: answer.json() as Json };
}
const names = async (key: string, list: string, member: string): Promise<unknown[]> =>
  ((await ask(key, `/v1/${list}`)).body[list] as Json[]).map((one) => one[member]);
const tables = async () => (await open.app.database()).tables<Record<string, Json>>();

/** So many more rows of a table like its first. */
async function addLike(table: string, count: number, change: (at: number) => object): Promise<void> {
  const db = await tables();
  const [row] = await db.selectFrom(table).selectAll().execute();
  const rows = Array.from({ length: count }, (_, at) => ({ ...row, ...change(at) }));
  for (let at = 0; at < count; at += 20)
    await db
      .insertInto(table)
      .values(rows.slice(at, at + 20))
      .execute();
}

describe('a key that is kept to endpoints', () => {
  it('is told of its own alerts and rollouts, however many newer ones others have', async () => {
    const at = open.app.clock.nowMicros();
    const seen = { evidence: {}, at, opensAfter: 1, closesAfter: 1, state: 'firing' } as const;
    await (await open.app.alerts()).observe({ ...seen, rule: 'drift', endpoint: 'checkout', feature: 'amount' });
    const rollouts = await open.app.rollouts();
    const by = { actor: 'ann', isAdmin: true, reason: 'a test' };
    const experiments = await open.app.experiments();
    await experiments.stop('spanning', BY);
    const { rollout } = await rollouts.start({ endpoint: 'other', candidate: 2, guards: [] } as never, by);
    await rollouts.abort(rollout.id, by);
    await experiments.start('spanning', BY);
    await open.serving.planes.control.refresh();

    await addLike('monitoring_alerts', 1000, (i) => ({
      id: `newer ${i}`,
      endpoint: 'other',
      feature: `f${i}`,
      opened_micros: at + 1_000_000 + i,
    }));
    expect(await names('checkout', 'alerts', 'feature')).toEqual(['amount']);
    expect(await names('both', 'alerts', 'endpoint')).not.toContain('checkout');
    expect(await names('none', 'alerts', 'endpoint')).toEqual([]);

    const created_at = at + 60_000_000;
    await addLike('rollouts', 100, (i) => ({ id: `newer-${i}`, endpoint: 'checkout', created_at: created_at + i }));
    expect(await names('other', 'rollouts', 'id')).toEqual([rollout.id]);
    expect(await names('none', 'rollouts', 'id')).toEqual([]);
  });

  it('finds nothing where an object is another endpoint’s, and is refused where it names that endpoint itself', async () => {
    const [own] = await (await open.app.rollouts()).list({ endpoint: 'other', limit: 1 });
    const id = own?.rollout.id ?? '';
    for (const [name, more, payload] of [
      [id, ''],
      ['other', ''],
      [id, '/pause', {}],
    ] as const) {
      const hidden = await ask('checkout', `/v1/rollouts/${name}${more}`, payload);
      const missing = await ask('checkout', `/v1/rollouts/nothing${more}`, payload);
      expect(hidden).toMatchObject({ status: 404, body: { code: 'HR_UNKNOWN_ROLLOUT' } });
      // The same words.
      expect(String(hidden.body['detail']).replace(name, 'nothing')).toBe(missing.body['detail']);
    }
    expect((await ask('other', `/v1/rollouts/${id}`)).status).toBe(200);
    const detail = expect.stringMatching(/may not use endpoint "other"; it may use checkout\.$/);
    for (const url of ['/v1/rollouts', '/v1/alerts', '/v1/monitoring/history', '/v1/monitoring/drift'])
      expect(await ask('checkout', `${url}?endpoint=other`)).toMatchObject({ status: 403, body: { detail } });
  });

  it('hears of no other endpoint’s rollout plan', async () => {
    for (const plan of ['calm', 'nothing']) {
      const detail = `the applied definitions have no rollout plan "${plan}" of endpoint "checkout". It has none`;
      const start = await ask('checkout', '/v1/rollouts', { endpoint: 'checkout', candidate: 2, plan });
      expect(start).toMatchObject({ status: 404, body: { code: 'HR_UNKNOWN_PLAN', detail } });
    }
  });

  it('sees an experiment, and its flag, where it may use every endpoint of it', async () => {
    const FLAGS = '/ofrep/v1/evaluate/flags';
    const context = { context: { customer: 'ada', amount: 1 } };
    const flags = async (key: string) =>
      ((await ask(key, FLAGS, context)).body['flags'] as Json[]).map((flag) => flag['key']).sort();
    for (const [key, seen] of [
      ['checkout', ['alone', 'crossing']],
      ['other', []],
      ['both', ['alone', 'crossing', 'spanning']],
    ] as const) {
      expect(await names(key, 'experiments', 'name')).toEqual(seen);
      const all = [...seen, ...(key === 'both' ? ['checkout', 'other'] : [key])].sort();
      expect(await flags(key)).toEqual(all);
      const document = await open.serving.server.inject(`/api/features/${keys[key]}`);
      expect(Object.keys((document.json() as { features: object }).features).sort()).toEqual(all);
      for (const name of ['alone', 'crossing', 'spanning']) {
        const status = (seen as readonly string[]).includes(name) ? 200 : 404;
        const told = [await ask(key, `/v1/experiments/${name}`), await ask(key, `${FLAGS}/${name}`, context)];
        expect([key, name, ...told.map((one) => one.status)]).toEqual([key, name, status, status]);
      }
    }
    // Nor when it does not run.
    await (await open.app.experiments()).stop('spanning', BY);
    await open.serving.planes.control.refresh();
    expect(await flags('checkout')).toEqual(['alone', 'checkout', 'crossing']);
    expect(await flags('both')).toContain('spanning');
    // Its words are of what it may see.
    expect((await ask('checkout', '/v1/experiments/spannin')).body['detail']).toBe(
      'there is no experiment "spannin". The experiments: alone, crossing.',
    );
  });

  it('gets no report that holds what another endpoint came to, and no word of what such reports decided', async () => {
    const report = (key: string, name: string) => ask(key, `/v1/experiments/${name}/report`);
    expect((await report('both', 'alone')).status).toBe(200);
    expect((await report('both', 'crossing')).status).toBe(200);
    expect((await report('checkout', 'alone')).status).toBe(200);
    const refused = await report('checkout', 'crossing');
    expect(refused).toMatchObject({ status: 403, body: { code: 'HR_FORBIDDEN' } });
    expect(refused.body['detail']).toMatch(
      /^reports of experiment "crossing" hold what endpoint "other" came to \(metric "returned" is of it\), which key hr_\w+ may not use\. Ask with a key of that endpoint, too\.$/,
    );
    const reads = [
      { endpoint: 'checkout', metrics: ['bought'] },
      { endpoint: 'other', metrics: ['returned'] },
    ];
    expect((await ask('checkout', '/v1/experiments/crossing')).body).toMatchObject({ reads, reports: null });
    const text = expect.any(String);
    const reports = [{ phase: '1', snapshot: text, made_at: text, decision: text }];
    expect((await ask('both', '/v1/experiments/crossing')).body).toMatchObject({ reports });
  });

  it('sees an experiment by its last endpoints once no definition has it', async () => {
    await (await open.app.experiments()).stop('alone', BY);
    const db = await tables();
    const phases = await db.selectFrom('experiment_phases').selectAll().where('name', '=', 'alone').execute();
    const gone = phases.map((phase) => ({ ...phase, name: 'gone' }));
    await db.insertInto('experiment_phases').values(gone).execute();
    expect(await names('other', 'experiments', 'name')).not.toContain('gone');
    const endpoints = [{ endpoint: 'checkout', state: 'idle' }];
    expect((await ask('checkout', '/v1/experiments/gone')).body).toMatchObject({ endpoints });
  });
});
