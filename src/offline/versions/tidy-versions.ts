// What becomes of versions that nothing reads any more: after a while they are not kept, and once no server reads them or
// folds into them their records go. Called when a materialize has ended, and by whoever removes one.

import { type Logger, messageOf, type Micros } from '../../core/index.ts';
import { type SweepDeps, sweepVersions } from './sweep-versions.ts';

export interface TidyDeps extends SweepDeps {
  readonly logger: Logger;
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
