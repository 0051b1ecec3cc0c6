// Every version of a view that is kept, and every form of a source that one of them is over.

import { canonicalJson } from '../core/index.ts';
import { type Definitions, type LiveVersion, type SourceSpec, sourceOfView, versionsOf } from '../definitions/index.ts';
import type { OfflineDeps } from './offline-deps.ts';

type Kept = Pick<OfflineDeps, 'definitions' | 'versions'>;

export function keptVersions({ definitions, versions }: Kept): readonly LiveVersion[] {
  return versions ?? versionsOf(definitions);
}

/** A source as some definitions have it, with those that hold its functions. */
export interface KeptSource {
  readonly source: SourceSpec;
  readonly definitions: Definitions;
  /** Versions over it in this form. */
  readonly versions: readonly string[];
}

/** Those that are applied first, whether or not a view is over them. */
export function keptSources(deps: Kept): readonly KeptSource[] {
  const found = new Map<string, { source: SourceSpec; definitions: Definitions; versions: string[] }>();
  const formOf = (definitions: Definitions, source: SourceSpec) => {
    const id = canonicalJson(source);
    const known = found.get(id) ?? { source, definitions, versions: [] };
    found.set(id, known);
    return known;
  };
  for (const source of Object.values(deps.definitions.manifest.sources)) formOf(deps.definitions, source);
  for (const { version, view, definitions } of keptVersions(deps)) {
    formOf(definitions, sourceOfView(definitions, view)).versions.push(version);
  }
  return [...found.values()];
}
