// Training as a pipeline: a training set, three models side by side, the best of them registered.

import { grid, pipeline, python, registerModel, task, trainingSet } from 'headrace';
import { basketFeatures, returnRisk } from './return-risk.ts';

/** What train.py tells of a model. */
interface Fit {
  readonly l2: number;
  readonly auc: number;
}

const p = pipeline('train_return_risk', { description: 'Trains the return risk and registers the best model.' });

// Features as they could be known at each purchase. `before`: when the shop asks, the purchase itself is not there yet.
const data = p.step(
  'data',
  trainingSet({
    service: basketFeatures,
    spine: 'data/baskets.csv',
    timestamp: 'bought_at',
    label: 'returned',
    boundary: 'before',
  }),
);

const fit = p.step('fit', python('train.py', { requirements: 'requirements.txt' }), {
  needs: { data },
  foreach: grid({ l2: [0.01, 1, 100] }),
  timeout: '10m',
});

const best = p.step(
  'best',
  task((needs: { readonly fit: readonly Fit[] }) => needs.fit.toSorted((a, b) => b.auc - a.auc)[0]),
  { needs: { fit } },
);

p.step('register', registerModel(returnRisk, { alias: 'champion' }), { needs: { best } });

export default p;
