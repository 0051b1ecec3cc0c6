// Definitions change under live traffic: every answer is the old meaning or the new, whole, and a model version goes on
// getting what it was registered with.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headraceBeside, type Meaning, startPushes, type Traffic } from '../support/evolving-project.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';
import { linearModel } from '../support/onnx-model.ts';
import { CONFIG, createProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

/** Events of ten days ago: a window of a week does not see them. */
const OLD = 10;
const DAY_MS = 86_400_000;

interface Shape {
  readonly view?: string;
  readonly renamedFrom?: string;
  readonly days?: number;
  readonly hasTotal?: boolean;
}

function repository({ view = 'history', renamedFrom, days = 7, hasTotal = false }: Shape): string {
  return `import { count, entity, endpoint, featureService, featureView, model, onDemandView, pushed, sum, t } from 'headrace';
import { scaled } from './helpers.ts';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: t.float64(), bought_at: t.timestamp() },
  eventTime: 'bought_at',
});
export const history = featureView('${view}', {
  entity: customer, source: purchases,${renamedFrom === undefined ? '' : ` renamedFrom: '${renamedFrom}',`}
  features: { bought: count().over('${days}d'),${hasTotal ? " total: sum('amount').over('7d')," : ''} },
});
export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64() }, past: history },
  features: { scaled: t.float64() },
  transform: ({ past }) => ({ scaled: scaled(Number(past.bought ?? 0)) }),
});
export const features = featureService('shop_features', [history, basket]);
export const returns = model('returns', { features, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;
}

const helpers = (factor: number): string =>
  `const FACTOR = ${factor};\nexport const scaled = (bought: number): number => bought * FACTOR;\n`;

function meaning(name: string, { view = 'history', days = 7, hasTotal = false }: Shape, factor: number): Meaning {
  return {
    name,
    features(pushed) {
      const bought = pushed + (days > 7 ? OLD : 0);
      return {
        [`${view}__bought`]: bought,
        ...(hasTotal ? { [`${view}__total`]: pushed } : {}),
        basket__scaled: bought * factor,
      };
    },
  };
}

const post = async (url: string, body: unknown): Promise<Record<string, unknown>> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
  return answer;
};

const push = async (url: string): Promise<void> => {
  // A little ago: what happens after the server's clock says so counts only then.
  const row = { customer: 'ada', amount: 1, bought_at: new Date(Date.now() - 1000).toISOString() };
  await post(`${url}/v1/sources/purchases/push`, { rows: [row] });
};

const readService = async (url: string): Promise<Record<string, unknown>> => {
  const rows = [{ customer: 'ada', amount: 1 }];
  const answer = await post(`${url}/v1/features/read`, { service: 'shop_features', rows });
  return (answer['rows'] as { features: Record<string, unknown> }[])[0]?.features ?? {};
};

/** The features of a prediction; its output is their sum, or the answer is none. */
const predict = async (url: string): Promise<Record<string, unknown>> => {
  const body = { inputs: [{ customer: 'ada', amount: 1 }], options: { return_features: true } };
  const answer = await post(`${url}/v1/endpoints/checkout/predict`, body);
  const [prediction] = answer['predictions'] as {
    features: Record<string, number>;
    outputs: { probability: number };
  }[];
  const { features = {}, outputs } = prediction ?? {};
  const sum = Object.values(features).reduce((a, b) => a + b, 0);
  return outputs?.probability === Math.fround(sum) ? features : { ...features, ...outputs };
};

describe.each(onlineStoreKinds())('definitions change under traffic on $name', ({ prepare }) => {
  let place: OnlineStorePlace;
  let project: Project;
  let server: ServerProcess;
  let env: Record<string, string>;
  let traffic: Traffic | undefined;

  const headrace = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await headraceBeside(project, args, env);
    if (code !== 0) throw new Error(`headrace ${args.join(' ')} gave ${code}: ${stderr}`);
    return stdout;
  };

  beforeEach(async () => {
    place = await prepare();
    const old = Array.from({ length: OLD }, (_, at) => {
      const boughtAt = new Date(Date.now() - 10 * DAY_MS - at * 1000).toISOString();
      return `{"customer":"ada","amount":100,"bought_at":"${boughtAt}"}\n`;
    });
    project = createProject({
      'headrace.config.ts': CONFIG,
      'feature_repo/shop.ts': repository({}),
      'feature_repo/helpers.ts': helpers(2),
      'old.jsonl': old.join(''),
      'sum2.onnx': linearModel(2),
      'sum3.onnx': linearModel(3),
    });
    env = { HEADRACE_ONLINE_URL: place.url };
    await headrace('apply');
    await headrace('push', 'purchases', 'old.jsonl');
    await headrace('models', 'register', 'returns', 'sum2.onnx');
    server = await startServe(project, [], env);
  });
  afterEach(async () => {
    await traffic?.stop().catch(() => {});
    traffic = undefined;
    await server.stop();
    project.remove();
    await place.remove();
  });

  it('answers by the old meaning or the new, whole; a model by what it was registered with', async () => {
    const first = meaning('as it was', {}, 2);
    traffic = startPushes(() => push(server.url));
    const service = traffic.read(() => readService(server.url), first);
    const model = traffic.read(() => predict(server.url), first);
    const steps: {
      readonly what: string;
      readonly shape: Shape;
      readonly factor: number;
      readonly isMoved: boolean;
    }[] = [
      { what: 'a feature is added', shape: { hasTotal: true }, factor: 2, isMoved: false },
      { what: 'a window is changed', shape: { hasTotal: true, days: 14 }, factor: 2, isMoved: false },
      {
        what: 'the view is renamed',
        shape: { hasTotal: true, days: 14, view: 'ledger', renamedFrom: 'history' },
        factor: 2,
        isMoved: true,
      },
      {
        what: 'a helper is changed',
        shape: { hasTotal: true, days: 14, view: 'ledger', renamedFrom: 'history' },
        factor: 3,
        isMoved: true,
      },
    ];
    let before = first;
    for (const { what, shape, factor, isMoved } of steps) {
      const after = meaning(what, shape, factor);
      project.write('feature_repo/shop.ts', repository(shape));
      project.write('feature_repo/helpers.ts', helpers(factor));
      service.allow(before, after);
      await headrace('apply', '--yes');
      // What no run has to fill is there at once; the rest answers as before until one has.
      if (isMoved) await service.seen(after);
      else {
        await service.seen(before);
        await headrace('materialize', '--incremental');
        await service.seen(after);
      }
      service.allow(after);
      before = after;
    }
    // What it was registered with, all the time.
    await model.seen(first);

    const second = before;
    model.allow(first, second);
    await headrace('models', 'register', 'returns', 'sum3.onnx');
    await headrace('endpoints', 'traffic', 'checkout', 'stable=2:100');
    await model.seen(second);
    model.allow(second);
    const rolledBack = meaning('rolled back', { hasTotal: true, days: 14, view: 'ledger' }, 2);
    service.allow(second, rolledBack);
    await headrace('rollback');
    await service.seen(rolledBack);
    service.allow(rolledBack);
    await service.seen(rolledBack);
    await model.seen(second);
    await traffic.stop();
    expect(Math.min(service.answers, model.answers)).toBeGreaterThan(50);
  }, 120_000);
});
