// A notebook as a step: it fits a model, is kept as it ran and as a page, and its model is registered only where it beats the
// champion.

import { evaluate, notebook, pipeline, registerModel, t, task } from 'headrace';
import { newestDays, pastDays } from './delay-days.ts';
import { delayModel } from './delay-model.ts';

const p = pipeline('notebook_delay', {
  params: { seed: t.int32().default(7) },
  description:
    'Runs a notebook that looks at the flights and fits a model, and registers that if it beats the champion.',
});

const past = p.step('past', pastDays);
const newest = p.step('newest', newestDays);

const fit = p.step(
  'fit',
  notebook('notebooks/fit_delay.ipynb', { requirements: 'requirements-notebook.txt', args: { leaves: 31 } }),
  { needs: { past }, timeout: '20m' },
);

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
