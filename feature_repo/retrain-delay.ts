// Training again, each week: a grid of models, the best of them measured on days that none has seen, and registered only
// where it beats the champion.

import { evaluate, grid, pipeline, promote, python, registerModel, t, task } from 'headrace';
import { newestDays, pastDays } from './delay-days.ts';
import { delayModel } from './delay-model.ts';

const p = pipeline('retrain_delay', {
  schedule: '0 4 * * 1',
  overlap: 'skip',
  params: { seed: t.int32().default(7) },
  description: 'Fits a grid of delay models, and registers the best one if it beats the champion on the newest days.',
});

const past = p.step('past', pastDays);
const newest = p.step('newest', newestDays);

const fits = p.step('fits', python('fit_one.py', { requirements: 'requirements.txt' }), {
  needs: { past },
  foreach: grid({ learning_rate: [0.05, 0.1], leaves: [15, 31] }),
  resources: { cpu: 1 },
  retry: 1,
  timeout: '20m',
});

interface Fit {
  readonly metrics: { readonly auc: number };
}

const best = p.step(
  'best',
  task((needs: { fits: Fit[] }) => needs.fits.toSorted((a, b) => b.metrics.auc - a.metrics.auc)[0] ?? null),
  { needs: { fits } },
);

const figures = p.step('figures', evaluate(delayModel, { slices: ['origin'], against: 'champion' }), {
  needs: { newest, best },
});

const isBetter = p.step(
  'is_better',
  task((needs: { figures: { better: boolean } }) => needs.figures.better),
  {
    needs: { figures },
  },
);

const version = p.step('register', registerModel(delayModel), { needs: { best, figures }, when: isBetter });
p.step('crown', promote(delayModel, { alias: 'champion' }), { needs: { version } });

export default p;
