// What a key that is kept to endpoints is told of what belongs to endpoints: lists are cut after it was left what is its own, what
// is another's is not there, and an experiment takes all of its endpoints, wherever it is asked for.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const REPO = `${REPOSITORY.replace('endpoint, feature', 'endpoint, experiment, metric, rollout, feature')}
export const other = endpoint('other', { model: returns, unit: ['customer'] });
const arms = { control: { version: 1, weight: 40 }, treatment: { version: 1, weight: 40 } };
const room = (at: number) => ({ name: 'room', range: [at, at + 0.2] as [number, number] });
export const alone = experiment('alone', {
  unit: ['customer'], endpoints: [checkout], arms, namespace: room(0),
  metrics: { goal: [metric('bought', { outcome: checkout })] },
});
export const crossing = experiment('crossing', {
  unit: ['customer'], endpoints: [checkout], arms, namespace: room(0.2),
  metrics: { goal: [metric('bought', { outcome: checkout })], secondary: [metric('returned', { outcome: other })] },
});
export const calm = rollout('calm', { endpoint: other });
export const spanning = experiment('spanning', {
  unit: ['customer'], endpoints: [checkout, other], arms, namespace: room(0.4),
  metrics: { goal: [metric('bought', { outcome: checkout })] },
});
`;

type Json = Record<string, unknown>;

let open: OpenServing;
let keys: Record<'checkout' | 'other' | 'both' | 'none', string>;

beforeAll(async () => {
  open = await openServing({ repository: REPO, features: 4 });
  await registerModelFile(open.app, { model: 'returns', onnx: Buffer.from(constantModel(4, 0.75)) });
  const registry = await open.app.registry();
  const traffic = { variants: [{ name: 'stable', version: 1, weight: 100 }] };
  await registry.endpoints.setTraffic('other', traffic, { actor: 'ann' });
  const make = async (name: string, endpoints: string[]) =>
    (await registry.keys.create({ name, roles: ['read', 'experiment'], endpoints }, { actor: 'ann' })).token;
  keys = {
    checkout: await make('c', ['checkout']),
    other: await make('o', ['other']),
    both: await make('b', ['checkout', 'other']),
    none: await make('n', []),
  };
  await open.serving.security.refresh();
  const experiments = await open.app.experiments();
  for (const name of ['alone', 'crossing', 'spanning']) await experiments.start(name, { actor: 'ann' });
  await open.serving.planes.control.refresh();
}, 60_000);
afterAll(() => open.close());

async function ask(
  key: keyof typeof keys,
  url: string,
  method: 'GET' | 'POST' = 'GET',
  payload?: object,
): Promise<{ readonly status: number; readonly body: Json }> {
  const answer = await open.serving.server.inject({
    method,
    url,
    headers: { authorization: `Bearer ${keys[key]}` },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.json() as Json };
}
const names = ({ body }: { body: Json }, list: string, member: string): unknown[] =>
  (body[list] as Json[]).map((one) => one[member]);

describe('a key that is kept to endpoints', () => {
  it('is told of its own alerts and rollouts, however many newer ones others have', async () => {
    const at = open.app.clock.nowMicros();
    const seen = { evidence: {}, at, opensAfter: 1, closesAfter: 1, state: 'firing' } as const;
    await (await open.app.alerts()).observe({ ...seen, rule: 'drift', endpoint: 'checkout', feature: 'amount' });
    const rollouts = await open.app.rollouts();
    const by = { actor: 'ann', isAdmin: true, reason: 'a test' };
    const candidate = { endpoint: 'other', candidate: 2, guards: [] };
    const experiments = await open.app.experiments();
    await experiments.stop('spanning', { actor: 'ann' });
    const { rollout } = await rollouts.start(candidate as never, by);
    await rollouts.abort(rollout.id, by);
    await experiments.start('spanning', { actor: 'ann' });
    await open.serving.planes.control.refresh();

    const db = (await open.app.database()).tables<Record<string, Json>>();
    const [alert] = await db.selectFrom('monitoring_alerts').selectAll().execute();
    const newer = Array.from({ length: 1000 }, (_, i) => ({
      ...alert,
      id: `newer ${i}`,
      endpoint: 'other',
      feature: `f${i}`,
      opened_micros: at + 1_000_000 + i,
    }));
    for (let i = 0; i < newer.length; i += 50)
      await db
        .insertInto('monitoring_alerts')
        .values(newer.slice(i, i + 50))
        .execute();
    expect(names(await ask('checkout', '/v1/alerts'), 'alerts', 'feature')).toEqual(['amount']);
    expect(names(await ask('both', '/v1/alerts'), 'alerts', 'endpoint')).not.toContain('checkout');
    expect((await ask('none', '/v1/alerts')).body).toEqual({ alerts: [] });

    const [row] = await db.selectFrom('rollouts').selectAll().execute();
    const more = Array.from({ length: 100 }, (_, i) => ({
      ...row,
      id: `newer-${i}`,
      endpoint: 'checkout',
      created_at: at + 60_000_000 + i,
    }));
    for (let i = 0; i < more.length; i += 20)
      await db
        .insertInto('rollouts')
        .values(more.slice(i, i + 20))
        .execute();
    expect(names(await ask('other', '/v1/rollouts'), 'rollouts', 'id')).toEqual([rollout.id]);
    expect((await ask('none', '/v1/rollouts')).body).toEqual({ rollouts: [] });
  });

  it('finds nothing where an object is another endpoint’s, and is refused where it names that endpoint itself', async () => {
    const [own] = await (await open.app.rollouts()).list({ endpoint: 'other', limit: 1 });
    const id = own?.rollout.id ?? '';
    for (const [asked, what] of [
      [id, 'GET'],
      ['other', 'GET'],
      [`${id}/pause`, 'POST'],
    ] as const) {
      const hidden = await ask('checkout', `/v1/rollouts/${asked}`, what, what === 'POST' ? {} : undefined);
      const [name = ''] = asked.split('/');
      const missing = await ask(
        'checkout',
        `/v1/rollouts/${asked.replace(name, 'nothing')}`,
        what,
        what === 'POST' ? {} : undefined,
      );
      expect(hidden).toMatchObject({ status: 404, body: { code: 'HR_UNKNOWN_ROLLOUT' } });
      // The same words.
      expect(String(hidden.body['detail']).replace(name, 'nothing')).toBe(missing.body['detail']);
    }
    expect((await ask('other', `/v1/rollouts/${id}`)).status).toBe(200);
    for (const url of ['/v1/rollouts', '/v1/alerts', '/v1/monitoring/history', '/v1/monitoring/drift'])
      expect(await ask('checkout', `${url}?endpoint=other`)).toMatchObject({
        status: 403,
        body: { detail: expect.stringMatching(/may not use endpoint "other"; it may use checkout\.$/) },
      });
  });

  it('hears of no other endpoint’s rollout plan', async () => {
    const start = (plan: string) =>
      ask('checkout', '/v1/rollouts', 'POST', { endpoint: 'checkout', candidate: 2, plan });
    for (const plan of ['calm', 'nothing'])
      expect(await start(plan)).toMatchObject({
        status: 404,
        body: {
          code: 'HR_UNKNOWN_PLAN',
          detail: `the applied definitions have no rollout plan "${plan}" of endpoint "checkout". It has none`,
        },
      });
  });

  it('sees an experiment, and its flag, where it may use every endpoint of it', async () => {
    const flags = async (key: keyof typeof keys) =>
      (
        (await ask(key, '/ofrep/v1/evaluate/flags', 'POST', { context: { customer: 'ada', amount: 1 } })).body[
          'flags'
        ] as Json[]
      )
        .map((flag) => flag['key'])
        .sort();
    const listed = async (key: keyof typeof keys) => names(await ask(key, '/v1/experiments'), 'experiments', 'name');
    for (const [key, seen] of [
      ['checkout', ['alone', 'crossing']],
      ['other', []],
      ['both', ['alone', 'crossing', 'spanning']],
    ] as const) {
      expect(await listed(key)).toEqual(seen);
      const own = key === 'both' ? ['checkout', 'other'] : [key];
      expect(await flags(key)).toEqual([...seen, ...own].sort());
      const document = await open.serving.server.inject(`/api/features/${keys[key]}`);
      expect(Object.keys((document.json() as { features: object }).features).sort()).toEqual([...seen, ...own].sort());
      for (const name of ['alone', 'crossing', 'spanning']) {
        const status = (seen as readonly string[]).includes(name) ? 200 : 404;
        expect([key, name, (await ask(key, `/v1/experiments/${name}`)).status]).toEqual([key, name, status]);
        const flag = await ask(key, `/ofrep/v1/evaluate/flags/${name}`, 'POST', {
          context: { customer: 'ada', amount: 1 },
        });
        expect([key, name, flag.status]).toEqual([key, name, status]);
      }
    }
    // Nor when it does not run.
    const experiments = await open.app.experiments();
    await experiments.stop('spanning', { actor: 'ann' });
    await open.serving.planes.control.refresh();
    expect(await flags('checkout')).toEqual(['alone', 'checkout', 'crossing']);
    expect(await flags('both')).toContain('spanning');
    // Its words are of what it may see.
    expect((await ask('checkout', '/v1/experiments/spannin')).body['detail']).toBe(
      'there is no experiment "spannin". The experiments: alone, crossing.',
    );
  });

  it('gets no report that holds what another endpoint came to, and no word of what such reports decided', async () => {
    for (const name of ['alone', 'crossing'])
      expect((await ask('both', `/v1/experiments/${name}/report`)).status).toBe(200);
    expect((await ask('checkout', '/v1/experiments/alone/report')).status).toBe(200);
    const refused = await ask('checkout', '/v1/experiments/crossing/report');
    expect(refused).toMatchObject({ status: 403, body: { code: 'HR_FORBIDDEN' } });
    expect(refused.body['detail']).toMatch(
      /^reports of experiment "crossing" hold what endpoint "other" came to \(metric "returned" is of it\), which key hr_\w+ may not use\. Ask with a key of that endpoint, too\.$/,
    );
    expect((await ask('checkout', '/v1/experiments/crossing')).body).toMatchObject({
      reads: [
        { endpoint: 'checkout', metrics: ['bought'] },
        { endpoint: 'other', metrics: ['returned'] },
      ],
      reports: null,
    });
    expect((await ask('both', '/v1/experiments/crossing')).body).toMatchObject({
      reports: [
        { phase: '1', snapshot: expect.any(String), made_at: expect.any(String), decision: expect.any(String) },
      ],
    });
  });

  it('sees an experiment by its last endpoints once no definition has it', async () => {
    const experiments = await open.app.experiments();
    await experiments.stop('alone', { actor: 'ann' });
    const db = (await open.app.database()).tables<Record<string, Json>>();
    const phases = await db.selectFrom('experiment_phases').selectAll().where('name', '=', 'alone').execute();
    await db
      .insertInto('experiment_phases')
      .values(phases.map((phase) => ({ ...phase, name: 'gone' })))
      .execute();
    expect(names(await ask('other', '/v1/experiments'), 'experiments', 'name')).not.toContain('gone');
    expect((await ask('checkout', '/v1/experiments/gone')).body['endpoints']).toEqual([
      { endpoint: 'checkout', state: 'idle' },
    ]);
  });
});
