// Who needs each version of a view: the applied definitions, services that have not moved to them yet, and model versions
// that are not retired. Pure: what the registry has comes in as values.

import { HeadraceError } from '../../core/index.ts';
import type { Manifest } from '../../definitions/index.ts';
import { viewVersion } from '../../definitions/index.ts';
import type { ModelVersion } from '../model-versions.ts';
import { type ServedService, versionsRead } from './served-services.ts';

export type VersionNeed =
  | { readonly by: 'applied' }
  /** It is served by earlier definitions. */
  | { readonly by: 'service'; readonly service: string; readonly revision: number }
  | { readonly by: 'model'; readonly model: string; readonly version: number };

export interface NeedsGiven {
  readonly current: Manifest;
  readonly services: readonly ServedService[];
  readonly models: readonly ModelVersion[];
  manifestOf(hash: string): Promise<Manifest | undefined>;
}

/** By version. */
export async function versionNeeds(given: NeedsGiven): Promise<ReadonlyMap<string, readonly VersionNeed[]>> {
  const needs = new Map<string, VersionNeed[]>();
  const add = (version: string, need: VersionNeed): void => {
    const known = needs.get(version);
    if (known === undefined) needs.set(version, [need]);
    else known.push(need);
  };
  for (const view of Object.keys(given.current.views)) add(viewVersion(given.current, view), { by: 'applied' });
  for (const { service, manifestHash, revision, state } of given.services) {
    const manifest = state === 'waiting' ? await given.manifestOf(manifestHash) : undefined;
    if (manifest === undefined) continue;
    for (const version of versionsRead(manifest, service)) add(version, { by: 'service', service, revision });
  }
  for (const { model, version: number, manifestHash, service } of given.models) {
    const manifest = await given.manifestOf(manifestHash);
    // A version of a time before its definitions were kept pins nothing.
    if (manifest === undefined || !Object.hasOwn(manifest.services, service)) continue;
    for (const version of versionsRead(manifest, service)) add(version, { by: 'model', model, version: number });
  }
  return needs;
}

/** Throws HR_CONFLICT with what can be done where there are any. */
export function refuseNeeded(version: string, needs: readonly VersionNeed[]): void {
  if (needs.length === 0) return;
  throw new HeadraceError('HR_CONFLICT', `${version} is needed: ${needs.map(describeNeed).join(', ')}.`);
}

/** A clause. */
export function describeNeed(need: VersionNeed): string {
  if (need.by === 'applied') return 'it is what is applied';
  if (need.by === 'service') return `service "${need.service}" is served by it, as of revision ${need.revision}`;
  return `version ${need.version} of model "${need.model}" reads it (\`headrace models retire ${need.model} ${need.version}\` lets go)`;
}
