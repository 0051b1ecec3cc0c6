// Traffic to a model version whose features can't be read is refused: it would be answered by half of them, or not at all.

import { HeadraceError } from '../../core/index.ts';
import type { ModelVersion } from '../model-versions.ts';
import { readManifest, type RegistryDb } from '../store.ts';
import { readableVersions, versionsRead } from './served-services.ts';
import { readKept } from './view-version-rows.ts';

/** Throws HR_CONFLICT for a retired version, HR_VERSION_INCOMPLETE with the command that fills what is missing. */
export async function refuseUnreadable(trx: RegistryDb, versions: readonly ModelVersion[]): Promise<void> {
  if (versions.length === 0) return;
  const isReadable = readableVersions(await readKept(trx));
  for (const { model, version, manifestHash, service, isRetired } of versions) {
    const name = `version ${version} of model "${model}"`;
    if (isRetired)
      throw new HeadraceError('HR_CONFLICT', `${name} is retired. Register its file again as another version`);
    const manifest = await readManifest(trx, manifestHash);
    if (manifest === undefined || !Object.hasOwn(manifest.services, service)) continue;
    const missing = versionsRead(manifest, service).filter((one) => !isReadable(one));
    if (missing.length > 0) throw versionIncomplete(name, missing);
  }
}

/** `who` reads versions that are not complete, or whose records are gone. */
export function versionIncomplete(who: string, missing: readonly string[]): HeadraceError {
  const what = missing.length === 1 ? 'which is' : 'which are';
  return new HeadraceError(
    'HR_VERSION_INCOMPLETE',
    `${who} reads ${missing.join(', ')}, ${what} not complete. Fill it with \`headrace materialize --incremental --views ${missing.join(',')}\`.`,
  );
}
