// The guide on drift, typed from top to bottom beside a server that runs.
// twin: test/contract/drift.test.ts > opens for what moved, after two windows, and closes after three quiet ones; nothing else opens

import { expect, it } from 'vitest';
import { constantModel } from '../support/onnx-model.ts';
import { serveGuide } from '../support/served-guide.ts';
import { createProject, headraceJson } from '../support/serving-project.ts';

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;
const SHOP = `import { endpoint, entity, featureService, model, onDemandView, t } from 'headrace';
export const basket = onDemandView('basket', {
  inputs: { request: { price: t.float64(), pieces: t.float64() } },
  features: { price: t.float64(), pieces: t.float64() },
  transform: ({ request }) => ({ price: request.price, pieces: request.pieces }),
});
export const features = featureService('basket_features', [basket]);
export const returns = model('returns', { features, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns });
`;

/** Ten days of orders, each day like the others. */
const order = (i: number) => ({ price: 5 + ((i * 37) % 100), pieces: 1 + ((i * 13) % 5) });
const ORDERS = Array.from({ length: 10 * 400 }, (_, i) => {
  const { price, pieces } = order(i);
  const at = new Date(Date.UTC(2026, 2, 1 + Math.floor(i / 400), 8, 0, i % 400)).toISOString();
  return `${price},${pieces},${i % 9 === 0},${at}`;
});
const TODAY = { inputs: Array.from({ length: 600 }, (_, i) => ({ ...order(i), price: order(i).price * 2 })) };

const guide = serveGuide('drift.md', () => {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': SHOP,
    'returns.onnx': constantModel(2, 0.25),
    'orders.csv': `price,pieces,returned,at\n${ORDERS.join('\n')}\n`,
    'today.json': JSON.stringify(TODAY),
  });
  headraceJson(project, ['apply']);
  return project;
});

it('shows what its commands print', () => {
  expect(guide.type()).toBe(4);
}, 120_000);
