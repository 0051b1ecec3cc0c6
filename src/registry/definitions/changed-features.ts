// Of what something was made of, the features that are no longer what they were: from one manifest to the next. Pure.

import { type Manifest, own } from '../../definitions/index.ts';
import { type Aspect, type Owner, type Parts, type Served, servedFeatures, servedParts } from './feature-parts.ts';
import type { Pinned } from './in-use.ts';
import { findRenames, type Renames, renamedFeatures } from './renames.ts';

/** A feature that something reads and that changes, under its full name of then. */
export interface ChangedFeature {
  readonly feature: string;
  /** Whether it was until now what it is of: else that had become another already. */
  readonly wasCurrent: boolean;
  /**
   * The objects whose change it is, by their names in either manifest, and in what they change it. Where it goes, that is
   * the doing of the first of them that changes.
   */
  readonly causes: readonly Cause[];
}

export interface Cause {
  readonly owner: Owner;
  readonly aspect: Aspect | 'goes';
}

export interface Comparing {
  readonly before: Manifest;
  readonly after: Manifest;
  readonly renames: Renames;
}

/**
 * Of the features that something was made of those that change: in type, meaning or code, or that go. One that comes to be
 * what it was made of again does not. `later`: the service that is looked at from now on, where it is another.
 */
export function changedFeatures(
  { before, after, renames }: Comparing,
  { manifest, service }: Pinned,
  later = service,
): ChangedFeature[] {
  const trained = servedFeatures(manifest, service);
  const was = servedFeatures(before, service);
  if (trained === undefined || was === undefined) return [];
  const is = servedFeatures(after, later) ?? new Map<string, Served>();
  const changed: ChangedFeature[] = [];
  for (const one of trained.values()) {
    const old = was.get(one.fullName) ?? renamedTo(was, one, manifest, before, trained);
    // It went before, and whoever reads it was told then.
    if (old === undefined) continue;
    const next = is.get(old.fullName) ?? renamedTo(is, old, before, after, was, renames);
    const oldParts = servedParts(before, service, old);
    const parts = next === undefined ? undefined : servedParts(after, later, next);
    const causes = parts === undefined ? whoTook(old, service, later, after, renames) : differences(oldParts, parts);
    if (causes.length === 0) continue;
    const own = servedParts(manifest, service, one);
    if (parts !== undefined && differences(own, parts).length === 0) continue;
    changed.push({ feature: one.fullName, wasCurrent: differences(own, oldParts).length === 0, causes });
  }
  return changed;
}

/** The same feature under another full name: its view or itself was renamed, and the one's name is the other's role. */
function renamedTo(
  candidates: ReadonlyMap<string, Served>,
  { member, feature }: Served,
  before: Manifest,
  after: Manifest,
  taken: ReadonlyMap<string, Served>,
  renames = findRenames(before, after),
): Served | undefined {
  const object = member.kind === 'view' ? 'view' : 'onDemandView';
  const view = renames.later(object, member.view) ?? member.view;
  const [was, is] =
    member.kind === 'view'
      ? [own(before.views, member.view), own(after.views, view)]
      : [own(before.onDemandViews, member.view), own(after.onDemandViews, view)];
  if (was === undefined || is === undefined) return undefined;
  const later = renamedFeatures(was.features, is.features).get(feature) ?? feature;
  const roles = member.role === member.view ? [view, member.role] : [member.role];
  return roles
    .map((role) => candidates.get(`${role}__${later}`))
    .find((one) => one?.member.kind === member.kind && one.member.view === view && !taken.has(one.fullName));
}

/** What a transform gets besides is none: its code would have to change to read it. */
function differences(was: Parts, is: Parts): readonly Cause[] {
  return [...was].flatMap(([slot, { owner, aspect, value }]) => {
    const next = is.get(slot);
    if (next?.value === value) return [];
    return [{ owner, aspect }, ...(next === undefined ? [] : [{ owner: next.owner, aspect }])];
  });
}

/** Whose change it is that a feature goes: the view's, when it has it no more; else the service's, or the model's. */
function whoTook(
  { member, feature }: Served,
  service: string,
  later: string,
  after: Manifest,
  renames: Renames,
): readonly Cause[] {
  const object = member.kind === 'view' ? 'view' : 'onDemandView';
  const name = renames.later(object, member.view) ?? member.view;
  const view = member.kind === 'view' ? own(after.views, name) : own(after.onDemandViews, name);
  const isGone = view === undefined || !view.features.some((one) => one.name === feature);
  const services = [service, later].map((one): Owner => ({ object: 'service', name: one }));
  const owners: readonly Owner[] = isGone ? [{ object, name: member.view }, ...services] : services;
  return owners.map((owner) => ({ owner, aspect: 'goes' }));
}
