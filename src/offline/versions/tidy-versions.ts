// What becomes of versions that nothing reads any more: after a while they are not kept, and once no server reads them or
// folds into them their records go. Called when a materialize has ended, and by whoever removes one.

import { type Clock, type Logger, messageOf, type Micros } from '../../core/index.ts';
import { storedName } from '../../definitions/index.ts';
import type { OnlineStore } from '../../online/index.ts';
import type { Registry, ViewVersionRow } from '../../registry/index.ts';

export interface TidyDeps {
  readonly registry: Pick<Registry, 'definitions' | 'versions' | 'servers'>;
  readonly store: Pick<OnlineStore, 'removeVersion'>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long a version is kept that nothing reads: until then a rollback finds it filled. */
  readonly keepMicros: Micros;
}

/** Throws nothing: what can't be done now is by the next. */
export async function tidyVersions(deps: TidyDeps): Promise<void> {
  const { registry, logger, clock, keepMicros } = deps;
  try {
    await noteRead(registry);
    const needs = await registry.versions.needs();
    for (const row of await registry.versions.list()) {
      const { unreadSinceMicros } = row;
      if (unreadSinceMicros === null || unreadSinceMicros + keepMicros > clock.nowMicros()) continue;
      // Applied or registered since it was noted.
      if (needs.has(row.version)) continue;
      if (await registry.versions.remove(row, 'headrace')) {
        logger.info({ version: row.version }, 'a view version that nothing reads is not kept any more');
      }
    }
    await sweepVersions(deps);
  } catch (error) {
    logger.warn({ reason: messageOf(error) }, 'view versions could not be tidied; the next materialize tries again');
  }
}

/** By who needs them, and by what servers say that they read. */
async function noteRead({ versions, servers }: TidyDeps['registry']): Promise<void> {
  const needs = await versions.needs();
  const read = new Set((await servers.list(true)).flatMap(({ reads }) => reads));
  await versions.noteRead(({ version }) => needs.has(version) || read.has(version));
}

/**
 * Takes the records of removed versions from the store, where no server reads them or folds into them any more; gives those that are left
 * for later. Throws what the registry and the store say.
 */
export async function sweepVersions({
  registry,
  store,
}: Pick<TidyDeps, 'registry' | 'store'>): Promise<readonly ViewVersionRow[]> {
  const { versions, servers, definitions } = registry;
  const left: ViewVersionRow[] = [];
  for (const row of await versions.removed()) {
    const all = await servers.list(true);
    if (all.some(({ folds, reads }) => folds.includes(row.version) || reads.includes(row.version))) {
      left.push(row);
      continue;
    }
    const manifest = await definitions.byHash(row.manifestHash);
    const entity = manifest?.entities[manifest.views[row.view]?.entity ?? ''];
    if (entity !== undefined) await store.removeVersion(storedName(entity), row.version);
    await versions.swept(row);
  }
  return left;
}
