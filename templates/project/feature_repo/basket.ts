// What the basket itself tells, beside what its customer usually buys. The same function runs in training and serving.

import { onDemandView, t } from 'headrace';
import { customerPurchases } from './purchases.ts';
import { timesUsual } from './times-usual.ts';

export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64(), discount: t.float64() }, customer: customerPurchases },
  features: { discount: t.float64(), times_usual: t.float64() },
  transform: ({ request, customer }) => ({
    discount: request.discount,
    times_usual: timesUsual(request.amount, customer.mean_amount_30d),
  }),
});
