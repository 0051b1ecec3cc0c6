// Requests routed at a server, over real sockets: forced by header, by rules, held out, in an experiment, by rollout; what
// answers, ids and the log say of it, and who may change traffic while a rollout has it.

import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { readPredictionId, type Role } from '../../src/core/index.ts';
import type { LiveExperiment, Registry, Traffic } from '../../src/registry/index.ts';
import { bucketOf, fnv1a } from '../../src/rollouts/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { BY, openForAll } from '../support/open-for.ts';
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
const STABLE = { name: 'stable', version: 1 };
const SPLIT: Traffic = {
  variants: [
    { ...STABLE, weight: 60 },
    { ...CANDIDATE, weight: 40 },
  ],
};

interface Prediction {
  readonly prediction_id: string;
  readonly variant: string;
  readonly version: number;
  readonly outputs: { readonly probability: number };
}

let registry: Registry;
const open = openForAll({ repository: REPO, features: 4 }, async ({ app, serving }) => {
  await registerModelFile(app, { model: 'returns', onnx: Buffer.from(constantModel(4, 0.75)) });
  registry = await app.registry();
  const { control } = serving.planes;
  for (const endpoint of ['checkout', 'unitless']) await control.setTraffic(endpoint, SPLIT, BY);
  await control.setTraffic('careful', { ...SPLIT, experiments: [EXPERIMENT] }, BY);
});

const ask = (path: string, method: string, body?: unknown, headers: object = {}) =>
  fetch(`${open.serving.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const predict = (endpoint: string, customers: readonly string[], headers?: object) => {
  const inputs = customers.map((customer) => ({ customer, amount: 1 }));
  return ask(`/v1/endpoints/${endpoint}/predict`, 'POST', { inputs }, headers);
};
async function predictions(...given: Parameters<typeof predict>): Promise<readonly Prediction[]> {
  const answer = await predict(...given);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { readonly predictions: readonly Prediction[] }).predictions;
}
/** The variants of an answer in Arrow. */
async function inArrow(headers: object = {}): Promise<unknown[]> {
  const answer = await predict('careful', customers, { accept: 'application/vnd.apache.arrow.stream', ...headers });
  return [...(tableFromIPC(new Uint8Array(await answer.arrayBuffer())).getChild('variant') ?? [])];
}
const saltOf = async (endpoint: string) => (await registry.endpoints.get(endpoint)).salt;
const customers = Array.from({ length: 300 }, (_, n) => `customer ${n} é`);
const force = (variant: string) => ({ 'x-headrace-variant': variant });

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
    const salt = await saltOf('unitless');
    for (let n = 0; n < 20; n++) {
      const given = await predictions('unitless', ['a', 'b'], { 'x-request-id': `request ${n}` });
      const variant = bucketOf(salt, `request ${n}`) < 6000 ? 'stable' : 'candidate';
      expect(given.map((one) => one.variant)).toEqual([variant, variant]);
    }
  });

  it('meets rules, the holdout, the namespace, the experiment and the rollout, in this order; its id has a unit that weighs for the rollout alone', async () => {
    const salt = await saltOf('careful');
    const all = [...customers, ...customers.map((customer) => `vip ${customer}`)];
    const expected = all.map((customer) => {
      const by = (variant: string, hash = 0) => [variant, hash];
      if (customer.startsWith('vip') || bucketOf('quarter', customer) < 2000) return by('stable');
      if (bucketOf('room', customer) < 5000)
        return by(bucketOf('exp seed', customer) < 5000 ? 'exp/control' : 'exp/treatment');
      return by(bucketOf(salt, customer) < 6000 ? 'stable' : 'candidate', fnv1a(salt + customer));
    });
    const given = await predictions('careful', all);
    const told = given.map(({ variant, prediction_id: id }) => [variant, readPredictionId(id)?.unitHash]);
    expect(told).toEqual(expected);
    const byVariant = { stable: 0.25, candidate: 0.75, 'exp/control': 0.25, 'exp/treatment': 0.75 };
    for (const { variant, outputs } of given)
      expect(outputs.probability).toBe(byVariant[variant as keyof typeof byVariant]);
    expect(new Set(expected.map(([variant]) => variant)).size).toBe(4);
    const forced = await predictions('checkout', customers.slice(0, 60), force('candidate'));
    expect(forced.every(({ prediction_id: id }) => readPredictionId(id)?.unitHash === 0)).toBe(true);
  });

  it('in Arrow is routed alike', async () => {
    const json = await predictions('careful', customers);
    expect(await inArrow()).toEqual(json.map(({ variant }) => variant));
  });
});

describe('the header X-Headrace-Variant', () => {
  it('forces a variant or an experiment’s arm for all rows, in JSON and Arrow', async () => {
    for (const [name, version] of Object.entries({ candidate: 2, stable: 1, 'exp/treatment': 2, 'exp/control': 1 })) {
      const given = await predictions('careful', customers.slice(0, 20), force(name));
      expect(new Set(given.map((one) => `${one.variant} ${one.version}`))).toEqual(new Set([`${name} ${version}`]));
    }
    expect(new Set(await inArrow(force('exp/control')))).toEqual(new Set(['exp/control']));
  });

  it('that names no arm is a 400 with what there is', async () => {
    const answer = await predict('careful', ['a'], force('exp/treatmnt'));
    const message = expect.stringContaining('Did you mean "exp/treatment"?');
    const errors = [{ path: 'x-headrace-variant', message }];
    expect(await answer.json()).toMatchObject({ status: 400, code: 'HR_INVALID', errors });
    expect((await predict('careful', ['a'], force(''))).status).toBe(400);
  });
});

describe('an endpoint that a rollout has', () => {
  const begin = (id: string) =>
    open.serving.planes.control.setTraffic('careful', SPLIT, { ...BY, rollout: { id, candidate: CANDIDATE } });

  it('is shown with its ranges, experiments and rollout, and refuses others’ traffic without an override', async () => {
    await begin('r-7');
    expect(await (await ask('/v1/endpoints/careful', 'GET')).json()).toMatchObject({
      variants: [{ ranges: [[0, 6000]] }, { ranges: [[6000, 10_000]] }],
      experiments: [EXPERIMENT],
      rollout: 'r-7',
      state: 'serving',
      wanted: [1, 2],
      served: [1, 2],
    });
    const put = async (traffic: object, headers = {}) =>
      (await ask('/v1/endpoints/careful', 'PUT', traffic, headers)).json() as Promise<object>;
    expect(await put(SPLIT)).toMatchObject({ status: 409, code: 'HR_ROLLOUT_UNDERWAY' });
    expect(await put({ ...SPLIT, override: true })).toMatchObject({ status: 400 });
    const taken = await put({ ...SPLIT, override: true }, { 'x-reason': 'it hurts' });
    expect(taken).toMatchObject({ rollout: 'r-7', experiments: [EXPERIMENT] });
    expect(taken).not.toHaveProperty('ended_rollout');
    const alone = { variants: [{ ...STABLE, weight: 100 }], override: true };
    const ended = await put(alone, { 'x-reason': 'it hurts more' });
    expect(ended).toMatchObject({ rollout: null, ended_rollout: 'r-7', experiments: [EXPERIMENT] });
  });

  // twin: test/integration/serving-routes.test.ts > is shown with its ranges, experiments and rollout, and refuses others’ traffic without an override
  fullIt('is overridden by the command, too', async () => {
    await begin('r-8');
    const command = ['endpoints', 'traffic', 'careful'];
    const split = [...command, 'stable=1:60', 'candidate=2:40'];
    expect(() => headraceJson(open.project, split)).toThrow('HR_ROLLOUT_UNDERWAY');
    expect(headrace(open.project, ['endpoints', 'show', 'careful']).stdout).toContain(
      'stable=1:60 candidate=2:40\nRollout r-8 alone changes it\nExperiment exp, phase 1: control=1:50 treatment=2:50\n',
    );
    expect(() => headraceJson(open.project, [...split, '--override'])).toThrow('HR_INVALID');
    const override = ['--override', '--reason', 'it hurts'];
    expect(headraceJson(open.project, [...split, ...override])).toMatchObject({ rollout: 'r-8' });
    const alone = headraceJson(open.project, [...command, 'stable=1:100', ...override]);
    expect(alone).toMatchObject({ rollout: null, endedRollout: 'r-8' });
    await open.serving.planes.control.setTraffic('careful', SPLIT, BY);
  });
});

// The last: the server is open no more.
it('forcing takes the role experiment', async () => {
  await open.serving.planes.control.setTraffic('careful', SPLIT, BY);
  const made = async (...roles: readonly Role[]) => {
    const { token } = await registry.keys.create({ name: roles.join('-'), roles }, BY);
    return { authorization: `Bearer ${token}` };
  };
  const [plain, admin] = [await made('predict'), await made('predict', 'admin')];
  const experimenter = await made('predict', 'experiment');
  await open.serving.security.refresh();
  expect((await predict('careful', ['a'])).status).toBe(401);
  for (const headers of [plain, admin]) {
    expect((await predict('careful', ['a'], headers)).status).toBe(200);
    const refused = await predict('careful', ['a'], { ...headers, ...force('candidate') });
    const detail = expect.stringContaining('role experiment');
    expect(await refused.json()).toMatchObject({ status: 403, code: 'HR_FORBIDDEN', detail });
  }
  const given = await predictions('careful', ['a'], { ...experimenter, ...force('candidate') });
  expect(given).toMatchObject([{ variant: 'candidate', version: 2 }]);
});
