// The question we answer: will this flight arrive more than 15 minutes late?

import { endpoint, featureService, model, t } from 'headrace';
import { airportDelays, routeDelays } from './delays.ts';
import { departure } from './departure.ts';

/** The same view twice: how things go where the flight leaves, and where it is headed. */
export const delayFeatures = featureService('delay_features', [
  airportDelays.as('origin', { airport: 'origin' }),
  airportDelays.as('destination', { airport: 'destination' }),
  routeDelays,
  departure,
]);

export const delayModel = model('delay_classifier', {
  features: delayFeatures,
  outputs: { probability: t.float32() },
  description: 'Probability that a flight arrives more than 15 minutes late.',
});

export const delayEndpoint = endpoint('delay', {
  model: delayModel,
  unit: ['origin', 'destination'], // a route always meets the same variant
});
