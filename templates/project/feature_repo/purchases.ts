// What customers bought: the source, a row a purchase, and what it tells of each customer.

import { count, csv, entity, featureView, latest, mean, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });

export const purchases = csv('purchases', {
  path: 'data/purchases.csv',
  columns: { customer: t.string(), amount: t.float64(), discount: t.float64(), bought_at: t.timestamp() },
  eventTime: 'bought_at',
  // Pushed purchases count until the file has them too, for it gets all of them in the end.
  pushes: 'until-materialized',
});

export const customerPurchases = featureView('customer_purchases', {
  entity: customer,
  source: purchases,
  ttl: '90d', // an older last amount says nothing about today
  features: {
    last_amount: latest('amount'),
    purchases_30d: count().over('30d'),
    mean_amount_30d: mean('amount').over('30d'),
  },
  description: 'How often and for how much a customer buys.',
});
