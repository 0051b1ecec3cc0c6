// Training as a pipeline: one training set, two kinds of model side by side, both registered.

import { grid, pipeline, python, registerModel, t, trainingSet } from 'headrace';
import { delayFeatures, delayModel } from './delay-model.ts';

const p = pipeline('train_delay', {
  schedule: '0 3 * * *',
  params: { seed: t.int32().default(7) },
  description: 'Trains, measures and registers the delay models.',
});

// Features as they could be known at each departure. The boundary stays 'at' (what landed in that very minute counts),
// because that is what serving answers; the flight itself lands later, so its own delay can't slip in.
const data = p.step(
  'export',
  trainingSet({
    service: delayFeatures,
    spine: 'data/spine.parquet',
    timestamp: 'scheduled_at',
    label: 'late',
  }),
);

const fit = p.step('fit', python('train.py', { requirements: 'requirements.txt' }), {
  needs: { data },
  foreach: grid({ kind: ['logistic', 'boosting'] }),
  resources: { cpu: 1 }, // so that both run at once on two cores
  retry: 1,
  timeout: '10m',
});

p.step('register', registerModel(delayModel), { needs: { fit } });

export default p;
