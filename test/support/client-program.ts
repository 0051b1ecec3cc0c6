// What a program does with the client on any platform: calls of each kind, and what becomes of them where the network fails.

import { type Api, createClient, HeadraceClientError } from '../../src/client/index.ts';

export interface ClientTrial {
  /** Of a proxy that drops the answers of requests whose id is `drop` and answers none whose id is `hang`. */
  readonly url: string;
  /** Where nothing listens. */
  readonly deadUrl: string;
  readonly api: Api;
  readonly customer: string;
}

/** What there was to see, as plain JSON. */
export async function tryClient({ url, deadUrl, api, customer }: ClientTrial): Promise<Record<string, unknown>> {
  const client = createClient({ url, api });
  const dead = createClient({ url: deadUrl, api, retries: 1 });
  const row = { customer, amount: 6 };
  const pushed = await client.push('purchases', [
    { customer, amount: 12, points: 9_007_199_254_740_993n, bought_at: new Date() },
  ]);
  const { features } = await client.readFeatures('shop_features', { customer });
  const { predictionId, outputs, variant } = await client.predict('checkout', row);
  const [good, bad] = await client.predictPartial('checkout', [row, { amount: 1 }]);
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error('left')), 50);
  return {
    accepted: pushed.accepted,
    points: String(features['history__last_points']),
    pointsAre: typeof features['history__last_points'],
    outputs,
    variant,
    told: await client.tellOutcomes('checkout', [{ predictionId, value: true }]),
    partial: [good !== undefined && 'outputs' in good, bad !== undefined && 'error' in bad && bad.error.code],
    flag: (await client.flag('checkout', { targetingKey: customer })).value,
    isReady: (await client.health()).isReady,
    invalid: await failureOf(client.predict('checkout', {})),
    lostPrediction: await failureOf(client.predict('checkout', row, { requestId: 'drop', retries: 2 })),
    lostRead: await failureOf(client.readFeatures('numbers', row, { requestId: 'drop', retries: 2 })),
    late: await failureOf(client.readFeatures('numbers', row, { requestId: 'hang', timeoutMs: 300 })),
    left: await failureOf(client.readFeatures('numbers', row, { requestId: 'hang', signal: abort.signal })),
    unreached: await failureOf(dead.predict('checkout', row)),
  };
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return 'none';
  } catch (thrown) {
    if (thrown instanceof HeadraceClientError) return [thrown.code, thrown.attempts];
    return thrown instanceof Error ? thrown.message : 'something else';
  }
}
