// What a version takes and gives, as when it was registered.

import { HeadraceError, type KnownRows, knownRows } from '../core/index.ts';
import { type Manifest, type ModelSpec, own, type ResolvedService, resolveService } from '../definitions/index.ts';
import type { ModelVersion } from './model-versions.ts';

export interface VersionTakes {
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
  /** What is known of its rows, for whoever loads it. */
  readonly rows?: KnownRows | undefined;
}

/** By the definitions that it names. Throws HR_UNKNOWN_MODEL where nothing says what it gives. */
export function versionTakes(manifest: Manifest, version: ModelVersion): VersionTakes {
  const spec = version.spec ?? own(manifest.models, version.model);
  if (spec !== undefined)
    return {
      service: resolveService(manifest, version.service),
      spec,
      rows: knownRows(spec.batch, version.rowsVerdict),
    };
  const sentence = `version ${version.version} of model "${version.model}" is of definitions that have no such model`;
  throw new HeadraceError('HR_UNKNOWN_MODEL', sentence);
}
