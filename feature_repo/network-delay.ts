// A small network, with PyTorch: fitted, handed over as ONNX, and registered only where it beats the champion.

import { evaluate, pipeline, python, registerModel, t, task } from 'headrace';
import { newestDays, pastDays } from './delay-days.ts';
import { delayModel } from './delay-model.ts';

const p = pipeline('network_delay', {
  params: { seed: t.int32().default(7) },
  description: 'Fits a small network with PyTorch, and registers it if it beats the champion on the newest days.',
});

const past = p.step('past', pastDays);
const newest = p.step('newest', newestDays);

const fit = p.step('fit', python('fit_network.py', { requirements: 'requirements-torch.txt' }), {
  needs: { past },
  resources: { memory: '3Gi' },
  retry: 1,
  timeout: '30m',
});

const figures = p.step('figures', evaluate(delayModel, { slices: ['origin'], against: 'champion' }), {
  needs: { newest, fit },
});

const isBetter = p.step(
  'is_better',
  task((needs: { figures: { better: boolean } }) => needs.figures.better),
  { needs: { figures } },
);

p.step('register', registerModel(delayModel), { needs: { fit, figures }, when: isBetter });

export default p;
