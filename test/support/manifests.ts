// Small valid manifests, written by hand, for tests of what is downstream of the definitions.

import { type Field, MICROS_PER_DAY, MICROS_PER_HOUR } from '../../src/core/index.ts';
import type * as defs from '../../src/definitions/index.ts';

const string = (name: string): Field => ({ name, type: { kind: 'string' } });
const timestamp = (name: string): Field => ({ name, type: { kind: 'timestamp' } });
const float64 = (name: string): Field => ({ name, type: { kind: 'float64' } });

export const meanDelay7d: defs.FeatureSpec = {
  ...float64('mean_delay_7d'),
  aggregation: { op: 'mean', column: 'delay', windowMicros: 7 * MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR },
};

export const lastDelay: defs.FeatureSpec = { ...float64('last_delay'), aggregation: { op: 'latest', column: 'delay' } };

const count1d = { op: 'count', column: null, windowMicros: MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR } as const;
export const flights1d: defs.FeatureSpec = { name: 'flights_1d', type: { kind: 'int64' }, aggregation: count1d };

export const airportDelays: defs.ViewSpec = {
  name: 'airport_delays',
  entity: 'airport',
  source: 'flights',
  keyColumns: ['origin'],
  ttlMicros: 30 * MICROS_PER_DAY,
  features: [lastDelay, flights1d, meanDelay7d],
  freshness: { kind: 'live' },
};

export const delayModel: defs.ModelSpec = {
  name: 'delay_classifier',
  service: 'delay_features',
  outputs: [{ name: 'probability', type: { kind: 'float32' } }],
  providers: ['cpu'],
};

const data = { entities: {}, sources: {}, views: {}, onDemandViews: {} };
const NOTHING = { ...data, services: {}, models: {}, endpoints: {}, pipelines: {} };
export const emptyManifest: defs.Manifest = {
  format: 1,
  project: 'test',
  ...NOTHING,
};

/** Flights: one windowed view in the role `origin`, one on-demand view, a model, and its endpoint `delay`. */
export const flightsManifest: defs.Manifest = {
  ...emptyManifest,
  entities: { airport: { name: 'airport', keys: [string('airport')] } },
  sources: {
    flights: {
      name: 'flights',
      kind: 'parquet',
      location: { path: 'data/flights/*.parquet' },
      columns: [string('origin'), float64('delay'), timestamp('departed_at'), timestamp('landed_at')],
      derive: [],
      eventTime: 'departed_at',
      knownTime: { kind: 'column', column: 'landed_at' },
      pushes: 'until-materialized',
    },
  },
  views: { airport_delays: airportDelays },
  onDemandViews: {
    departure: {
      name: 'departure',
      inputs: [{ kind: 'request', name: 'request', columns: [timestamp('scheduled_at')] }],
      features: [{ name: 'hour', type: { kind: 'int32' } }],
      transform: { id: 'onDemand/departure', hash: 'a'.repeat(64) },
    },
  },
  services: {
    delay_features: {
      name: 'delay_features',
      members: [
        {
          kind: 'view',
          role: 'origin',
          view: 'airport_delays',
          keyColumns: ['origin'],
          features: ['last_delay', 'flights_1d', 'mean_delay_7d'],
        },
        { kind: 'onDemand', role: 'departure', view: 'departure', features: ['hour'] },
      ],
    },
  },
  models: { delay_classifier: delayModel },
  endpoints: { delay: { name: 'delay', model: 'delay_classifier', unit: ['origin'], whenStoreDown: 'fail' } },
};

/** `flightsManifest` with the view's features replaced, and the service picking all of them. */
export function flightsManifestWith(features: readonly defs.FeatureSpec[]): defs.Manifest {
  const names = features.map((feature) => feature.name);
  const service = flightsManifest.services['delay_features'];
  if (service === undefined) throw new Error('flightsManifest has the service');
  const members = service.members.map((member) => (member.kind === 'view' ? { ...member, features: names } : member));
  return {
    ...flightsManifest,
    views: { airport_delays: { ...airportDelays, features } },
    services: { delay_features: { ...service, members } },
  };
}

const outcome = { kind: 'outcome', endpoint: 'delay' } as const;
const late = { name: 'late', parts: [{ values: outcome }], direction: 'down', worth: 0.1 } as const;

/** Of `flightsManifest`: versions 1 and 2 of its model, by airport. */
export const trial: defs.ExperimentSpec = {
  name: 'trial',
  unit: ['origin'],
  endpoints: ['delay'],
  arms: [
    { name: 'control', version: 1, weight: 50 },
    { name: 'treatment', version: 2, weight: 50 },
  ],
  control: 'control',
  metrics: { goal: [late], secondary: [], guardrail: [] },
  plan: { kind: 'split', alpha: 0.05, correction: 'holm' },
};

export const careful: defs.RolloutSpec = {
  name: 'careful',
  endpoint: 'delay',
  steps: [1, 5, 25, 50, 100],
  holdMicros: 600_000_000,
  warmupMicros: 30_000_000,
  minUnits: 200,
  maxHoldMicros: MICROS_PER_DAY,
  guards: ['error_rate<0.01'],
  onBlind: 'hold',
  maturityMicros: 0,
  watchMicros: 0,
  cooldownMicros: MICROS_PER_HOUR,
  bakeMicros: 600_000_000,
};
