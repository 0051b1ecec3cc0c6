// Features that a request names one by one, `view:feature`, where no service has just them: compiled as a service of that one
// request is, and kept for the next that names the same.

import { didYouMeanOf, type Field, HeadraceError } from '../../core/index.ts';
import {
  type Definitions,
  type EntitySpec,
  type Manifest,
  own,
  type ResolvedService,
  resolveService,
  type ServiceMember,
  viewVersion,
} from '../../definitions/index.ts';
import { versionIncomplete } from '../../registry/index.ts';
import type { Snapshot } from '../snapshot.ts';
import type { ReadPlan } from './read-plan.ts';
import { unknownFeatureView } from './unknown-view.ts';

/** What the monitor counts such reads under. No service has it: a name has no space. */
export const BY_REFERENCE = '(by reference)';

/** Clients ask for few lists of features, again and again. */
const MOST_KEPT = 256;

/** What of a snapshot such reads go by. */
export type ReferenceSource = Pick<Snapshot, 'definitions' | 'services' | 'isReadable' | 'referencePlans'>;

/**
 * The plan of a list of references, each `view:feature` of a stored or an on-demand view: its features are in their order, as
 * `view__feature`, and its key columns are the entities' own. Throws HR_INVALID, HR_UNKNOWN_VIEW, HR_UNKNOWN_FEATURE,
 * HR_VERSION_INCOMPLETE.
 */
export function planReferences(
  snapshot: ReferenceSource,
  references: readonly string[],
  compile: (definitions: Definitions, service: ResolvedService) => ReadPlan,
): ReadPlan {
  const plans = snapshot.referencePlans;
  const key = keyOf(references);
  const known = plans.get(key);
  if (known !== undefined) {
    // The one that was asked for last goes last.
    plans.delete(key);
    plans.set(key, known);
    return known;
  }
  const { definitions, service } = resolveReadable(snapshot, references);
  const plan = compile(definitions, service);
  plans.set(key, plan);
  const [oldest] = plans.keys();
  if (plans.size > MOST_KEPT && oldest !== undefined) plans.delete(oldest);
  return plan;
}

/** Of lists that are given again, as those of requests that name the same are. */
const keys = new WeakMap<readonly string[], string>();

function keyOf(references: readonly string[]): string {
  let key = keys.get(references);
  // No reference that is kept has the separator in it, so one text with as many parts is one list.
  if (key === undefined) keys.set(references, (key = `${references.length} ${references.join('\0')}`));
  return key;
}

interface Resolved {
  readonly definitions: Definitions;
  readonly service: ResolvedService;
}

/** By the applied definitions, unless runs have yet to fill what they read: then by the newest that a service is served by. */
function resolveReadable(snapshot: ReferenceSource, references: readonly string[]): Resolved {
  const { definitions, isReadable } = snapshot;
  const service = resolveReferences(definitions.manifest, references);
  const waitsFor = versionsOf(definitions.manifest, service).filter((version) => !isReadable(version));
  if (waitsFor.length === 0) return { definitions, service };
  for (const earlier of earlierDefinitions(snapshot)) {
    const resolved = resolvedOrNone(earlier.manifest, references);
    if (resolved !== undefined && versionsOf(earlier.manifest, resolved).every(isReadable))
      return { definitions: earlier, service: resolved };
  }
  throw versionIncomplete('features by reference', waitsFor);
}

function earlierDefinitions({ definitions, services }: ReferenceSource): ReadonlySet<Definitions> {
  const served = [...services.values()].filter((one) => one.definitions !== definitions);
  return new Set(served.sort((a, b) => b.revision - a.revision).map((one) => one.definitions));
}

function resolvedOrNone(manifest: Manifest, references: readonly string[]): ResolvedService | undefined {
  try {
    return resolveReferences(manifest, references);
  } catch {
    // They had no such view then.
    return undefined;
  }
}

function versionsOf(manifest: Manifest, { reads }: ResolvedService): readonly string[] {
  return reads.map(({ view }) => viewVersion(manifest, view.name));
}

/** Throws HR_INVALID, HR_UNKNOWN_VIEW, HR_UNKNOWN_FEATURE. */
export function resolveReferences(manifest: Manifest, references: readonly string[]): ResolvedService {
  const members = references.map((reference) => memberOf(manifest, reference));
  const services = { [BY_REFERENCE]: { name: BY_REFERENCE, members } };
  return resolveService({ ...manifest, services }, BY_REFERENCE);
}

function memberOf(manifest: Manifest, reference: string): ServiceMember {
  const [view = '', feature, ...rest] = reference.split(':');
  if (feature === undefined || rest.length > 0) {
    const sentence = `"${shown(reference)}" names no feature: expected VIEW:FEATURE, such as "airport_delays:mean_delay_7d".`;
    throw new HeadraceError('HR_INVALID', sentence);
  }
  const stored = own(manifest.views, view);
  if (stored !== undefined) {
    checkFeature(view, feature, stored.features);
    // A valid manifest has the entity.
    const { keys } = own(manifest.entities, stored.entity) as EntitySpec;
    return { kind: 'view', role: view, view, keyColumns: keys.map(({ name }) => name), features: [feature] };
  }
  const computed = own(manifest.onDemandViews, view);
  if (computed !== undefined) {
    checkFeature(view, feature, computed.features);
    return { kind: 'onDemand', role: view, view, features: [feature] };
  }
  throw unknownFeatureView(view, [...Object.keys(manifest.views), ...Object.keys(manifest.onDemandViews)]);
}

function checkFeature(view: string, feature: string, features: readonly Field[]): void {
  if (features.some(({ name }) => name === feature)) return;
  const known = features.map(({ name }) => name);
  const sentence = `view "${view}" has no feature "${shown(feature)}".${didYouMeanOf('features', feature, known)}`;
  throw new HeadraceError('HR_UNKNOWN_FEATURE', sentence);
}

const shown = (name: string): string => name.slice(0, 200);
