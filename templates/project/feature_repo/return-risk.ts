// The question we answer at checkout: will this basket come back?

import { endpoint, featureService, model, t } from 'headrace';
import { basket } from './basket.ts';
import { customerPurchases } from './purchases.ts';

export const basketFeatures = featureService('basket_features', [customerPurchases, basket]);

export const returnRisk = model('return_risk', {
  features: basketFeatures,
  outputs: { probability: t.float32() },
  description: 'Probability that a purchase is sent back.',
});

export const checkout = endpoint('checkout', {
  model: returnRisk,
  unit: ['customer'], // a customer always meets the same version
});
