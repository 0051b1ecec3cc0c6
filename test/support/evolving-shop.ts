// A shop whose features change under traffic: its repository in several shapes, what each of them means, and a server.

import { headraceBeside, type Meaning } from './evolving-project.ts';
import { linearModel } from './onnx-model.ts';
import { type OnlineStoreKind, type OnlineStorePlace } from './online-stores.ts';
import { CONFIG, createProject, startServe } from './serving-project.ts';
import { runWarmBeside } from './warm-command.ts';

export type EvolvingShop = Awaited<ReturnType<typeof openEvolvingShop>>;

/** Applied, with events of ten days ago, a model version and a server. */
export async function openEvolvingShop(
  { prepare }: Pick<OnlineStoreKind, 'prepare'>,
  settings: Readonly<Record<string, string>> = {},
) {
  const place: OnlineStorePlace = await prepare();
  const old = Array.from({ length: OLD }, (_, at) => {
    const boughtAt = new Date(Date.now() - 10 * DAY_MS - at * 1000).toISOString();
    return `{"customer":"ada","amount":100,"bought_at":"${boughtAt}"}\n`;
  });
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'old.jsonl': old.join(''),
    'sum2.onnx': linearModel(2),
    'sum3.onnx': linearModel(3),
  });
  const env = { HEADRACE_ONLINE_URL: place.url, ...settings };
  const write = (shape: Shape, factor: number): void => {
    project.write('feature_repo/shop.ts', repository(shape));
    project.write('feature_repo/helpers.ts', helpers(factor));
  };
  const headrace = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runWarmBeside({
      directory: project.directory,
      args,
      env: { ...process.env, npm_lifecycle_event: '', ...env },
    });
    if (code !== 0) throw new Error(`headrace ${args.join(' ')} gave ${code}: ${stderr}`);
    return stdout;
  };
  write({}, 2);
  await headrace('apply');
  await headrace('push', 'purchases', 'old.jsonl');
  await headrace('models', 'register', 'returns', 'sum2.onnx');
  const server = await startServe(project, [], env);
  return {
    project,
    server,
    env,
    /** Writes the repository in another shape. */
    write,
    /** Throws what a command says that fails. */
    headrace,
    /** Its temporary files, which a killed process leaves, go with the project. */
    headraceKilled: (afterMs: number, ...args: readonly string[]) =>
      headraceBeside(project, args, { ...env, TMPDIR: project.directory }, afterMs),
    async close(): Promise<void> {
      await server.stop();
      project.remove();
      await place.remove();
    },
  };
}

/** Events of ten days ago: a window of a week does not see them. */
const OLD = 10;
const DAY_MS = 86_400_000;

export interface Shape {
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

export function meaning(
  name: string,
  { view = 'history', days = 7, hasTotal = false }: Shape,
  factor: number,
): Meaning {
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
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
  return answer;
};

export const push = async (url: string): Promise<void> => {
  // A little ago: what happens after the server's clock says so counts only then.
  const row = { customer: 'ada', amount: 1, bought_at: new Date(Date.now() - 1000).toISOString() };
  await post(`${url}/v1/sources/purchases/push`, { rows: [row] });
};

export const readService = async (url: string): Promise<Record<string, unknown>> => {
  const rows = [{ customer: 'ada', amount: 1 }];
  const answer = await post(`${url}/v1/features/read`, { service: 'shop_features', rows });
  return (answer['rows'] as { features: Record<string, unknown> }[])[0]?.features ?? {};
};

/** The features of a prediction; its output is their sum, or the answer is none. */
export const predict = async (url: string): Promise<Record<string, unknown>> => {
  const body = { inputs: [{ customer: 'ada', amount: 1 }], options: { return_features: true } };
  const answer = await post(`${url}/v1/endpoints/checkout/predict`, body);
  type Prediction = { features: Record<string, number>; outputs: { probability: number } };
  const [prediction] = answer['predictions'] as Prediction[];
  const { features = {}, outputs } = prediction ?? {};
  const sum = Object.values(features).reduce((a, b) => a + b, 0);
  return outputs?.probability === Math.fround(sum) ? features : { ...features, ...outputs };
};
