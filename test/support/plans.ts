// Plans of changes to the flights manifest, and what they say in lines.

import { makePlan, type PlanChange } from '../../src/registry/definitions/plan.ts';
import { MICROS_PER_DAY } from '../../src/core/index.ts';
import * as defs from '../../src/definitions/index.ts';
import { type InUse, NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { withStoredNames } from '../../src/registry/definitions/stored-names.ts';
import { modelInUse } from './in-use.ts';
import { airportDelays, flightsManifest } from './manifests.ts';

export const spec = <T>(specs: Readonly<Record<string, T>>, name: string): T => {
  const found = defs.own(specs, name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
};
export const flights = spec(flightsManifest.sources, 'flights');
export const service = spec(flightsManifest.services, 'delay_features');
export const departure = spec(flightsManifest.onDemandViews, 'departure');
const isLate = { id: 'source/flights/derive/is_late', hash: 'b'.repeat(64), reads: ['delay'] };
export const derived: defs.SourceSpec = {
  ...flights,
  derive: [{ name: 'is_late', type: { kind: 'float64' }, by: { kind: 'function', function: isLate } }],
};

export const withView = (more: Partial<defs.ViewSpec>, manifest = flightsManifest): defs.Manifest => ({
  ...manifest,
  views: { airport_delays: { ...airportDelays, ...more } },
});
export const withFeatures = (...features: readonly defs.FeatureSpec[]) => withView({ features });
export const withService = (members: defs.ServiceSpec['members'], manifest = flightsManifest): defs.Manifest => ({
  ...manifest,
  services: { delay_features: { ...service, members } },
});
export const lateRate: defs.FeatureSpec = {
  name: 'late_rate_7d',
  type: { kind: 'float64' },
  aggregation: { op: 'mean', column: 'is_late', windowMicros: 7 * MICROS_PER_DAY, hopMicros: 3_600_000_000 },
};

export const plan = (before: defs.Manifest | undefined, after: defs.Manifest, inUse: InUse = NOTHING_IN_USE) =>
  makePlan(before, withStoredNames(before, after), 1, inUse);
export const told = ({ kind, object, name, lines }: PlanChange): string[] => [
  `${kind} ${object} ${name}`,
  ...lines.map((line) => `${line.kind}: ${line.text}`),
];
export const lines = (before: defs.Manifest, after: defs.Manifest): string[] =>
  plan(before, after).changes.flatMap(told);
export const breaking = (after: defs.Manifest, inUse: InUse = modelInUse(), before = flightsManifest): string[] =>
  plan(before, after, inUse).breaking.map(({ object, name, breaking: why }) => `${object} ${name}: ${why}`);

export const GO_ON = 'it goes on getting what it was registered with';
export const MODEL = `model delay_classifier version 1 (${GO_ON}), endpoint delay`;
