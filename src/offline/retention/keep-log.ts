// What a materialize does for the log once it is done: cuts that were shipped since become Parquet, for whoever reads them
// next, and what no read needs any more goes, once an hour at most.

import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { floorTo, messageOf, MICROS_PER_HOUR } from '../../core/index.ts';
import { NOTHING_COVERED } from '../../online/index.ts';
import { sourceFolder } from '../facts/log-cache.ts';
import { readableCoverage } from '../facts/log-rows.ts';
import { openLogRows } from '../facts/open-facts.ts';
import { keptSources } from '../kept-versions.ts';
import { REPLACED_FOR_MS } from '../facts/tidy-log-cache.ts';
import { pruneLog, type RetentionDeps } from './prune-log.ts';
import { openRetentionTable } from './retention-table.ts';

/** Throws nothing: the views are materialized, whatever becomes of this. */
export async function keepLog(deps: RetentionDeps): Promise<void> {
  const { log, clock, database, logger } = deps;
  if (log === undefined) return;
  try {
    await convertLog(deps);
    await removeGoneFolders(deps);
    const last = await (await openRetentionTable(database)).lastLook();
    const isDue = last === undefined || floorTo(last, MICROS_PER_HOUR) !== floorTo(clock.nowMicros(), MICROS_PER_HOUR);
    if (isDue) await pruneLog(deps, { dryRun: false });
  } catch (error) {
    const reason = messageOf(error);
    logger.warn({ reason }, 'the event log could not be tidied; the next materialize tries again');
  }
}

/** Reading is all it takes: what isn't Parquet yet is then. */
async function convertLog(deps: RetentionDeps): Promise<void> {
  const readable = await readableCoverage(deps.log);
  const connection = await deps.duckdb.connect();
  try {
    for (const { source, definitions } of keptSources(deps)) {
      await openLogRows(connection, source, { ...deps, definitions }, NOTHING_COVERED, readable);
    }
  } finally {
    connection.closeSync();
  }
}

/** Of sources that are not defined any more, or were with other columns. */
async function removeGoneFolders(given: RetentionDeps): Promise<void> {
  const { log, duckdb, dataDirectory } = given;
  if (log === undefined) return;
  const deps = { log, duckdb, dataDirectory };
  const names = new Set(keptSources(given).map(({ source }) => basename(sourceFolder(deps, source))));
  const folder = join(dataDirectory, 'log');
  for (const name of await readdir(folder).catch(() => [])) {
    if (names.has(name)) continue;
    const { mtimeMs } = await stat(join(folder, name));
    if (Date.now() - mtimeMs > REPLACED_FOR_MS) await rm(join(folder, name), { recursive: true, force: true });
  }
}
