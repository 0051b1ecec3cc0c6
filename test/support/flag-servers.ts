// A server whose endpoint has rules, a holdout, traffic in several ranges and an experiment: what flags are made of.

import { registerModelFile } from '../../src/app/index.ts';
import type { Logger } from '../../src/core/index.ts';
import type { LiveExperiment } from '../../src/registry/index.ts';
import { openServing } from './open-serving.ts';
import { constantModel } from './onnx-model.ts';

/** `checkout` is by customer, with an experiment that does not run; `returning` by customer and shop, with a rule and a holdout. */
const REPOSITORY = `import { endpoint, entity, experiment, featureService, featureView, latest, metric, model, onDemandView, pushed, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: t.float64(), bought_at: t.timestamp() }, eventTime: 'bought_at',
});
export const history = featureView('history', { entity: customer, source: purchases, ttl: '30d', features: { last: latest('amount') } });
export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64().optional(), shop: t.int64().optional(), country: t.string().optional() }, customer: history },
  features: { size: t.float64() },
  transform: ({ request }) => ({ size: request.amount ?? 0 }),
});
export const returns = model('returns', { features: featureService('all', [history, basket]), outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
export const returning = endpoint('returning', {
  model: returns, unit: ['customer', 'shop'],
  rules: [{ when: { country: { $in: ['DE', 'AT'] }, amount: { $gte: 10 } }, variant: 'candidate' }],
  holdout: { name: 'held', percent: 10 },
});
export const welcome = experiment('welcome', {
  unit: ['customer'],
  arms: { control: { version: 1, weight: 50 }, treatment: { version: 2, weight: 50 } },
  endpoints: [checkout],
  metrics: { goal: [metric('bought', { outcome: checkout, aggregate: 'any' })] },
});
`;

export type FlagServer = Awaited<ReturnType<typeof openFlagServer>>;

/** With two versions of its model, the first of which has all traffic. */
export async function openFlagServer(
  given: { readonly logger?: Logger; readonly settings?: Readonly<Record<string, string>> } = {},
) {
  const open = await openServing({ repository: REPOSITORY, features: 2, ...given });
  await registerModelFile(open.app, { model: 'returns', onnx: constantModel(2, 0.75) });
  const setTraffic = async (
    endpoint: string,
    of: Readonly<Record<string, { readonly version: number; readonly weight: number }>>,
    experiments?: readonly LiveExperiment[],
  ): Promise<void> => {
    const variants = Object.entries(of).map(([name, one]) => ({ name, ...one }));
    const { control } = open.serving.planes;
    await control.setTraffic(endpoint, { variants, ...(experiments && { experiments }) }, { actor: 'test' });
    await control.refresh();
  };
  /** So much of the traffic to the candidate, the rest to stable. */
  const weigh = (endpoint: string, candidate: number, experiments?: readonly LiveExperiment[]) =>
    setTraffic(
      endpoint,
      { stable: { version: 1, weight: 100 - candidate }, candidate: { version: 2, weight: candidate } },
      experiments,
    );
  return {
    ...open,
    url: open.serving.url,
    setTraffic,
    weigh,
    /** Traffic over both arms of both endpoints, and an experiment. */
    async split(): Promise<void> {
      await weigh('checkout', 30, [EXPERIMENT]);
      await weigh('returning', 50);
    },
    /** The arms that predictions have. */
    async predicted(endpoint: string, inputs: readonly object[]): Promise<string[]> {
      const answer = await open.post(`/v1/endpoints/${endpoint}/predict`, { inputs }, { host: 'localhost' });
      return answer.json().predictions.map((one) => (one as unknown as { variant: string }).variant);
    },
    async createKey(name: string, more: object = {}) {
      const { keys } = await open.app.registry();
      const made = await keys.create({ name, roles: ['read'], ...more }, { actor: 'me' });
      await open.serving.security.refresh();
      return made;
    },
  };
}

/** Requests, some of them without a customer. */
export const requests = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    customer: n % 50 === 49 ? '' : `${['ada', 'é', '日本', 'b o b'][n % 4]} ${n}`,
    amount: n % 13,
    shop: n % 7,
    country: ['DE', 'AT', 'FR', null][n % 4] ?? null,
  }));

/** On `checkout`, by customer, in half of a namespace, of whoever buys for 5 or more. */
export const EXPERIMENT: LiveExperiment = {
  name: 'trial',
  phase: 1,
  seed: 'trial seed',
  unit: ['customer'],
  namespace: { seed: 'room', ranges: [[0.1, 0.8]] },
  when: { amount: { $gte: 5 } },
  arms: [
    {
      name: 'control',
      version: 1,
      ranges: [
        [0, 2000],
        [6000, 9000],
      ],
    },
    { name: 'treatment', version: 2, ranges: [[2000, 6000]] },
  ],
};
