// A shop whose model reads two numbers of the request, and ten days of orders, each day like the others: what a server is then sent drifts.

export const DRIFTING_SHOP = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
export const basket = onDemandView('basket', {
  inputs: { request: { price: t.float64(), pieces: t.float64() } },
  features: { price: t.float64(), pieces: t.float64() },
  transform: ({ request }) => ({ price: request.price, pieces: request.pieces }),
});
export const features = featureService('basket_features', [basket]);
export const returns = model('returns', { features, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns });
`;

export const driftOrder = (i: number) => ({ price: 5 + ((i * 37) % 100), pieces: 1 + ((i * 13) % 5) });

/** As CSV, with the label `returned`. */
export function driftOrders(): string {
  const lines = Array.from({ length: 10 * 400 }, (_, i) => {
    const at = new Date(Date.UTC(2026, 2, 1 + Math.floor(i / 400), 8, 0, i % 400)).toISOString();
    return `${driftOrder(i).price},${driftOrder(i).pieces},${i % 9 === 0},${at}`;
  });
  return `price,pieces,returned,at\n${lines.join('\n')}\n`;
}
