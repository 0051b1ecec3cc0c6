// Requests routed at a server, over real sockets: forced by header, by rules, held out, in an experiment, by rollout; what
// answers, ids and the log say of it, and who may change traffic while a rollout has it.

import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { readPredictionId, type Role } from '../../src/core/index.ts';
import type { LiveExperiment, Registry, Traffic } from '../../src/registry/index.ts';
import { queryPredictionLog } from '../../src/monitoring/index.ts';
import { bucketOf, fnv1a } from '../../src/rollouts/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { headrace, headraceJson, REPOSITORY } from '../support/serving-project.ts';
import { fullIt } from '../support/tier.ts';

const REPO = `${REPOSITORY}
export const careful = endpoint('careful', {
  model: returns, unit: ['customer'],
  rules: [{ when: { customer: { $regex: '^vip' }, amount: { $lt: 1000 } }, variant: 'stable' }],
  holdout: { name: 'quarter', percent: 20 },
});
export const unitless = endpoint('unitless', { model: returns });
`;
const BY = { actor: 'ann' };
const EXPERIMENT: LiveExperiment = {
  name: 'exp',
  phase: 1,
  seed: 'exp seed',
  unit: ['customer'],
  namespace: { seed: 'room', ranges: [[0, 0.5]] },
  when: { amount: { $gte: 0 } },
  arms: [
    { name: 'control', version: 1, ranges: [[0, 5000]] },
    { name: 'treatment', version: 2, ranges: [[5000, 10_000]] },
  ],
};
const CANDIDATE = { name: 'candidate', version: 2 };
const SPLIT: Traffic = {
  variants: [
    { name: 'stable', version: 1, weight: 60 },
    { ...CANDIDATE, weight: 40 },
  ],
};

interface Prediction {
  readonly prediction_id: string;
  readonly variant: string;
  readonly version: number;
  readonly outputs: { readonly probability: number };
}

let open: OpenServing;
let registry: Registry;
let url: string;
beforeAll(async () => {
  open = await openServing({ repository: REPO, features: 4 });
  await registerModelFile(open.app, { model: 'returns', onnx: Buffer.from(constantModel(4, 0.75)) });
  registry = await open.app.registry();
  url = open.serving.url;
  const { control } = open.serving.planes;
  for (const endpoint of ['checkout', 'careful', 'unitless'])
    await control.setTraffic(
      endpoint,
      { ...SPLIT, ...(endpoint === 'careful' ? { experiments: [EXPERIMENT] } : {}) },
      BY,
    );
}, 60_000);
afterAll(() => open.close());

const ask = (path: string, method: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const predict = (endpoint: string, customers: readonly string[], headers?: Readonly<Record<string, string>>) =>
  ask(
    `/v1/endpoints/${endpoint}/predict`,
    'POST',
    { inputs: customers.map((customer) => ({ customer, amount: 1 })) },
    headers,
  );
async function predictions(...given: Parameters<typeof predict>): Promise<readonly Prediction[]> {
  const answer = await predict(...given);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { readonly predictions: readonly Prediction[] }).predictions;
}
const customers = Array.from({ length: 300 }, (_, n) => `customer ${n} é`);

describe('a request', () => {
  it('goes by its unit’s bucket, and its id tells revision, version and hash', async () => {
    const { salt, revision } = await registry.endpoints.get('checkout');
    const given = await predictions('checkout', customers);
    given.forEach(({ variant, version, prediction_id: id }, at) => {
      const customer = customers[at] as string;
      expect(variant).toBe(bucketOf(salt, customer) < 6000 ? 'stable' : 'candidate');
      expect(readPredictionId(id)).toEqual({ revision, version, unitHash: fnv1a(salt + customer) });
    });
  });

  it('to an endpoint without a unit goes by its id, all rows alike', async () => {
    const { salt } = await registry.endpoints.get('unitless');
    for (let n = 0; n < 20; n++) {
      const given = await predictions('unitless', ['a', 'b'], { 'x-request-id': `request ${n}` });
      const variant = bucketOf(salt, `request ${n}`) < 6000 ? 'stable' : 'candidate';
      expect(given.map((one) => one.variant)).toEqual([variant, variant]);
    }
  });

  it('meets rules, the holdout, the namespace, the experiment and the rollout, in this order', async () => {
    const { salt } = await registry.endpoints.get('careful');
    const all = [...customers, ...customers.map((customer) => `vip ${customer}`)];
    const expected = all.map((customer) => {
      if (customer.startsWith('vip')) return 'stable';
      if (bucketOf('quarter', customer) < 2000) return 'stable';
      if (bucketOf('room', customer) < 5000)
        return bucketOf('exp seed', customer) < 5000 ? 'exp/control' : 'exp/treatment';
      return bucketOf(salt, customer) < 6000 ? 'stable' : 'candidate';
    });
    const given = await predictions('careful', all);
    expect(given.map(({ variant }) => variant)).toEqual(expected);
    const byVariant = { stable: 0.25, candidate: 0.75, 'exp/control': 0.25, 'exp/treatment': 0.75 };
    expect(
      given.every(({ variant, outputs }) => outputs.probability === byVariant[variant as keyof typeof byVariant]),
    ).toBe(true);
    expect(new Set(expected).size).toBe(4);
  });

  it('that another than the rollout decided has an id whose outcome weighs for neither arm', async () => {
    const customers = [...Array.from({ length: 60 }, (_, i) => `u${i}`), 'vip'];
    const hashesOf = async (endpoint: string, headers?: Readonly<Record<string, string>>) => {
      const { predictions } = (await (await predict(endpoint, customers, headers)).json()) as {
        predictions: Prediction[];
      };
      return predictions.map(({ prediction_id: id, variant }) => ({ variant, hash: readPredictionId(id)?.unitHash }));
    };
    expect((await hashesOf('checkout')).every(({ hash }) => hash !== 0)).toBe(true);
    expect((await hashesOf('checkout', { 'x-headrace-variant': 'candidate' })).every(({ hash }) => hash === 0)).toBe(
      true,
    );
    const { salt } = await registry.endpoints.get('careful');
    const told = await hashesOf('careful');
    for (const [at, { variant, hash }] of told.entries()) {
      const customer = customers[at] as string;
      const isHeldOut = bucketOf('quarter', customer) < 2000;
      const isOther = isHeldOut || customer === 'vip' || variant.startsWith('exp/');
      expect(hash).toBe(isOther ? 0 : fnv1a(salt + customer));
    }
    expect(told.filter(({ variant, hash }) => variant === 'stable' && hash === 0).length).toBeGreaterThan(3);
  });

  it('in Arrow is routed alike', async () => {
    const answer = await predict('careful', customers, { accept: 'application/vnd.apache.arrow.stream' });
    const table = tableFromIPC(new Uint8Array(await answer.arrayBuffer()));
    const json = await predictions('careful', customers);
    expect([...(table.getChild('variant') ?? [])]).toEqual(json.map(({ variant }) => variant));
  });
});

describe('the header X-Headrace-Variant', () => {
  it('forces a variant or an experiment’s arm for all rows, in JSON and Arrow', async () => {
    for (const [name, version] of [
      ['candidate', 2],
      ['stable', 1],
      ['exp/treatment', 2],
      ['exp/control', 1],
    ] as const) {
      const given = await predictions('careful', customers.slice(0, 20), { 'X-Headrace-Variant': name });
      expect(new Set(given.map((one) => `${one.variant} ${one.version}`))).toEqual(new Set([`${name} ${version}`]));
    }
    const accept = 'application/vnd.apache.arrow.stream';
    const answer = await predict('careful', customers, { accept, 'x-headrace-variant': 'exp/control' });
    const table = tableFromIPC(new Uint8Array(await answer.arrayBuffer()));
    expect(new Set(table.getChild('variant'))).toEqual(new Set(['exp/control']));
  });

  it('is logged as forced, with the arm', async () => {
    await predictions('careful', ['someone forced'], { 'x-headrace-variant': 'exp/treatment' });
    await predictions('careful', ['vip logged']);
    const sql =
      "SELECT request->>'customer' AS customer, via, assigned, experiment, phase::INTEGER AS phase FROM predictions WHERE customer IN ('someone forced', 'vip logged') ORDER BY customer";
    const duckdb = await open.app.duckdb();
    const directory = open.app.config.values['predictionLog.path'];
    const question = { directory, sql, limit: 10, startsAt: open.project.directory };
    await expect
      .poll(async () => (await queryPredictionLog(duckdb, question)).rows)
      .toEqual([
        ['someone forced', 'forced', 'treatment', 'exp', 1],
        ['vip logged', 'rule', 'stable', null, null],
      ]);
  });

  it('that names no arm is a 400 with what there is', async () => {
    const answer = await predict('careful', ['a'], { 'x-headrace-variant': 'exp/treatmnt' });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: 'HR_INVALID',
      errors: [{ path: 'x-headrace-variant', message: expect.stringContaining('Did you mean "exp/treatment"?') }],
    });
    expect((await predict('careful', ['a'], { 'x-headrace-variant': '' })).status).toBe(400);
  });
});

describe('an endpoint that a rollout has', () => {
  it('is shown with its ranges, experiments and rollout, and refuses others’ traffic without an override', async () => {
    await open.serving.planes.control.setTraffic('careful', SPLIT, {
      ...BY,
      rollout: { id: 'r-7', candidate: CANDIDATE },
    });
    const shown = (await (await ask('/v1/endpoints/careful', 'GET')).json()) as object;
    expect(shown).toMatchObject({
      variants: [{ ranges: [[0, 6000]] }, { ranges: [[6000, 10_000]] }],
      experiments: [EXPERIMENT],
      rollout: 'r-7',
      state: 'serving',
      wanted: [1, 2],
      served: [1, 2],
    });
    const refused = await ask('/v1/endpoints/careful', 'PUT', SPLIT);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ code: 'HR_ROLLOUT_UNDERWAY' });
    const unsaid = await ask('/v1/endpoints/careful', 'PUT', { ...SPLIT, override: true });
    expect(unsaid.status).toBe(400);
    const taken = await ask('/v1/endpoints/careful', 'PUT', { ...SPLIT, override: true }, { 'x-reason': 'it hurts' });
    expect(taken.status).toBe(200);
    const body = (await taken.json()) as object;
    expect(body).toMatchObject({ rollout: 'r-7', experiments: [EXPERIMENT] });
    expect(body).not.toHaveProperty('ended_rollout');
    const alone = { variants: [{ name: 'stable', version: 1, weight: 100 }], override: true };
    const ended = await ask('/v1/endpoints/careful', 'PUT', alone, { 'x-reason': 'it hurts more' });
    expect(await ended.json()).toMatchObject({ rollout: null, ended_rollout: 'r-7', experiments: [EXPERIMENT] });
  });

  // twin: test/integration/serving-routes.test.ts > refuses others’ traffic without an override
  fullIt('is overridden by the command, too', async () => {
    await open.serving.planes.control.setTraffic('careful', SPLIT, {
      ...BY,
      rollout: { id: 'r-8', candidate: CANDIDATE },
    });
    const command = ['endpoints', 'traffic', 'careful', 'stable=1:60', 'candidate=2:40'];
    expect(() => headraceJson(open.project, command)).toThrow('HR_ROLLOUT_UNDERWAY');
    expect(headrace(open.project, ['endpoints', 'show', 'careful']).stdout).toContain(
      'stable=1:60 candidate=2:40\nRollout r-8 alone changes it\nExperiment exp, phase 1: control=1:50 treatment=2:50\n',
    );
    expect(() => headraceJson(open.project, [...command, '--override'])).toThrow('HR_INVALID');
    const override = ['--override', '--reason', 'it hurts'];
    expect(headraceJson(open.project, [...command, ...override])).toMatchObject({ rollout: 'r-8' });
    expect(headraceJson(open.project, [...command.slice(0, 3), 'stable=1:100', ...override])).toMatchObject({
      rollout: null,
      endedRollout: 'r-8',
    });
    await open.serving.planes.control.setTraffic('careful', SPLIT, BY);
  });
});

// The last: the server is open no more.
describe('forcing', () => {
  it('takes the role experiment', async () => {
    await open.serving.planes.control.setTraffic('careful', SPLIT, BY);
    const made = async (...roles: readonly Role[]): Promise<Record<string, string>> => {
      const { token } = await registry.keys.create({ name: roles.join('-'), roles }, BY);
      return { authorization: `Bearer ${token}` };
    };
    const [plain, admin, experimenter] = [
      await made('predict'),
      await made('predict', 'admin'),
      await made('predict', 'experiment'),
    ];
    await expect.poll(async () => (await predict('careful', ['a'])).status).toBe(401);
    for (const headers of [plain, admin]) {
      expect((await predict('careful', ['a'], headers)).status).toBe(200);
      const refused = await predict('careful', ['a'], { ...headers, 'x-headrace-variant': 'candidate' });
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({
        code: 'HR_FORBIDDEN',
        detail: expect.stringContaining('role experiment'),
      });
    }
    const [given] = await predictions('careful', ['a'], { ...experimenter, 'x-headrace-variant': 'candidate' });
    expect(given).toMatchObject({ variant: 'candidate', version: 2 });
  });
});
