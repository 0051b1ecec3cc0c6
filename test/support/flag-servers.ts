// A server whose endpoint has rules, a holdout, traffic in several ranges and an experiment: what flags are made of.

import { registerModelFile } from '../../src/app/index.ts';
import type { Logger } from '../../src/core/index.ts';
import type { LiveExperiment, Variant } from '../../src/registry/index.ts';
import { type OpenServing, openServing } from './open-serving.ts';
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

export type Traffic = Readonly<Record<string, { readonly version: number; readonly weight: number }>>;

export interface FlagServer extends OpenServing {
  setTraffic(endpoint: string, traffic: Traffic, experiments?: readonly LiveExperiment[]): Promise<void>;
  variants(endpoint: string): Promise<readonly Variant[]>;
}

/** With two versions of its model, the first of which has all traffic. */
export async function openFlagServer(
  given: { readonly logger?: Logger; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<FlagServer> {
  const open = await openServing({ repository: REPOSITORY, features: 2, ...given });
  await registerModelFile(open.app, { model: 'returns', onnx: constantModel(2, 0.75) });
  const registry = await open.app.registry();
  return {
    ...open,
    async setTraffic(endpoint, traffic, experiments) {
      const variants = Object.entries(traffic).map(([name, of]) => ({ name, ...of }));
      await open.serving.planes.control.setTraffic(
        endpoint,
        { variants, ...(experiments === undefined ? {} : { experiments }) },
        { actor: 'test' },
      );
      await open.serving.planes.control.refresh();
    },
    variants: async (endpoint) => (await registry.endpoints.get(endpoint)).variants,
  };
}

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
