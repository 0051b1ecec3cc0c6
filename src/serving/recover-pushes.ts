// At start: what a crash between the push log and the online store left out is applied now, once.

import type { Logger } from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import { type OnlineStore, type PushLog, replayPushLog } from '../online/index.ts';
import type { DuckDb } from '../storage/index.ts';
import { compileDerivedColumns } from './derive-columns.ts';

export interface RecoverDeps {
  readonly definitions: Definitions;
  readonly store: OnlineStore;
  readonly pushLog: PushLog;
  readonly duckdb: () => Promise<DuckDb>;
  readonly logger: Logger;
}

/** Safe to repeat, and beside running servers. Gives how many events were looked at. */
export async function recoverPushes({ definitions, store, pushLog, duckdb, logger }: RecoverDeps): Promise<number> {
  const { manifest } = definitions;
  let events = 0;
  for (const source of Object.values(manifest.sources)) {
    const derive = compileDerivedColumns(definitions, source, duckdb);
    events += await replayPushLog(pushLog, store, manifest, source.name, derive);
  }
  if (events > 0)
    logger.info({ events }, 'pushed events since the last materialize were held against the online store');
  return events;
}
