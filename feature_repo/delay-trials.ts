// How a new version of the model is tried: what the experiment of two versions compares, and by which steps one takes over.

import { experiment, metric, rollout } from 'headrace';
import { delayEndpoint } from './delay-model.ts';

/** What forecasts cost travellers: the outcomes that are told are minutes. */
export const costPerForecast = metric('cost_per_forecast', {
  ratio: [
    { outcome: delayEndpoint, aggregate: 'sum' },
    { outcome: delayEndpoint, aggregate: 'count' },
  ],
  direction: 'down',
  description: 'Minutes that a forecast costs a traveller: 20 for a warning, 60 for a late flight without one.',
});

export const delayModels = experiment('delay_models', {
  unit: ['origin', 'destination'],
  endpoints: [delayEndpoint],
  arms: { control: { version: 1, weight: 50 }, boosting: { version: 2, weight: 50 } },
  metrics: {
    goal: [costPerForecast],
    secondary: [metric('mean_probability', { output: 'probability', aggregate: 'mean', direction: 'none' })],
  },
  description: 'Does the boosted model cost travellers less time than the logistic one?',
});

export const careful = rollout('careful', {
  endpoint: delayEndpoint,
  steps: [1, 5, 25, 50, 100],
  hold: '10m',
  guards: ['error_rate<0.01', 'slow_rate<+50%'],
  description: 'How a version of the delay model takes over in production.',
});
