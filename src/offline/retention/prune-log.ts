// Retention: takes from the log what no read needs any more, by event time, once every node's mark covers it.

import { type Micros, MICROS_PER_DAY } from '../../core/index.ts';
import { NOTHING_COVERED, type OnlineStore, openRuns } from '../../online/index.ts';
import { readableCoverage } from '../facts/log-rows.ts';
import { openLogRows } from '../facts/open-facts.ts';
import { type KeptSource, keptSources } from '../kept-versions.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { planRemoval, type RemovalSituation, type WriterRemoval } from './plan-removal.ts';
import { openRetentionTable } from './retention-table.ts';
import { limitOf, readViewStates } from './source-limits.ts';

export interface RetentionDeps extends OfflineDeps {
  readonly store: Pick<OnlineStore, 'marks'>;
  /** `pushLog.retention`; undefined keeps for ever what no file brings. */
  readonly retentionMicros: Micros | undefined;
  /** How long events that the files should hold stay in the log all the same; a week when left out. */
  readonly marginMicros?: Micros;
}

const MARGIN_MICROS = 7 * MICROS_PER_DAY;

export interface PruneReport {
  /** Event times up to it are past retention; null where none is set, and at the first look. */
  readonly oldUpTo: Micros | null;
  readonly writers: readonly WriterRemoval[];
}

/** Errors: HR_LOG_DAMAGED, HR_STORAGE_UNAVAILABLE, HR_ONLINE_UNAVAILABLE, HR_SOURCE_UNREADABLE. A repeat goes on. */
export async function pruneLog(deps: RetentionDeps, { dryRun }: { readonly dryRun: boolean }): Promise<PruneReport> {
  const { log, clock, database } = deps;
  // Before the look: what comes meanwhile is of the next.
  const now = clock.nowMicros();
  const report = await planPrune(deps);
  if (dryRun || log === undefined) return report;
  await removePruned(deps, report.writers);
  await (await openRetentionTable(database)).noteLook(now);
  return report;
}

/** What may go now; changes nothing. Errors as of `pruneLog`. */
export async function planPrune(deps: RetentionDeps): Promise<PruneReport> {
  const { log, clock, database, store, retentionMicros } = deps;
  if (log === undefined) return { oldUpTo: null, writers: [] };
  const table = await openRetentionTable(database);
  const now = clock.nowMicros();
  const last = await table.lastLook();
  // The writers first: what is shipped of them is in the contents.
  const writers = await log.writers();
  const contents = await log.contents();
  const sources = sourcesByName(deps);
  const kept = [...sources.values()].flat().flatMap(({ versions }) => versions);
  const states = await readViewStates(kept, store, await openRuns(database));
  // By this clock or that of the look before, whichever is earlier: one that was wrong once must not take what is young.
  const oldUpTo =
    retentionMicros === undefined || last === undefined ? null : Math.min(now, last) - retentionMicros - 1;
  const limits = new Map(
    [...sources].map(([name, forms]) => {
      const found = forms.flatMap(({ versions }) => versions.flatMap((version) => states.get(version) ?? []));
      // What one form of it keeps is kept.
      const pushes = forms.some(({ source }) => source.pushes === 'keep') ? 'keep' : 'until-materialized';
      return [name, limitOf({ pushes }, found, oldUpTo, deps.marginMicros ?? MARGIN_MICROS)] as const;
    }),
  );
  const situation = { writers, contents, limits, goneUpTo: oldUpTo };
  // Only of what is left to be decided by its age.
  const open = planRemoval({ ...situation, newest: () => null });
  const plan = planRemoval({ ...situation, newest: await newestEvents(deps, open) });
  return { oldUpTo, writers: plan };
}

/** Removes what was planned. */
export async function removePruned(
  { log, database, logger }: Pick<RetentionDeps, 'log' | 'database' | 'logger'>,
  plan: readonly WriterRemoval[],
): Promise<void> {
  const going = plan.filter(({ from, through }) => through >= from);
  const rows = new Map<string, number>();
  for (const one of going) for (const [source, count] of one.rows) rows.set(source, (rows.get(source) ?? 0) + count);
  await (await openRetentionTable(database)).noteSources([...rows.keys()]);
  await log?.remove(new Map(going.map(({ writer, through }) => [writer, through])));
  if (rows.size > 0) logger.info({ rows: Object.fromEntries(rows) }, 'removed from the event log by retention');
}

/**
 * By the Parquet files of the log, which are read for the columns that tell the time alone. A row without an event time goes
 * by when it arrived: by other definitions it may have one.
 */
async function newestEvents(deps: RetentionDeps, open: readonly WriterRemoval[]): Promise<RemovalSituation['newest']> {
  const found = new Map<string, Micros | null>();
  const asked = open.filter(({ rows }) => rows.size > 0);
  const readable = await readableCoverage(deps.log);
  const connection = await deps.duckdb.connect();
  try {
    for (const { source, definitions } of keptSources(deps)) {
      const own = asked.filter(({ rows }) => rows.has(source.name));
      if (own.length === 0) continue;
      // Of a row whose time can't be derived its arrival decides.
      const by = { ...deps, definitions, forgiving: { rows: 'all', onFailedValue: () => {} } } as const;
      const { relation } = await openLogRows(connection, source, by, NOTHING_COVERED, readable);
      const cases = own.map(({ writer, through }) => `WHEN ${writer} THEN ${through}`);
      const read = await connection.runAndReadAll(
        `SELECT __hr_writer, __hr_cut, CAST(max(coalesce(__hr_event, __hr_logged)) AS DOUBLE) FROM ${relation} ` +
          `WHERE __hr_cut <= CASE __hr_writer ${cases.join(' ')} ELSE 0 END GROUP BY ALL`,
      );
      for (const [writer, cut, newest] of read.getRows()) {
        // Another form of the source may tell another time: the later one decides.
        const id = idOf(Number(writer), Number(cut), source.name);
        const times = [found.get(id) ?? null, newest as number | null].filter((time) => time !== null);
        found.set(id, times.length === 0 ? null : Math.max(...times));
      }
    }
  } finally {
    connection.closeSync();
  }
  return (writer, cut, source) => found.get(idOf(writer, cut, source)) ?? null;
}

function sourcesByName(deps: RetentionDeps): ReadonlyMap<string, readonly KeptSource[]> {
  return Map.groupBy(keptSources(deps), ({ source }) => source.name);
}

const idOf = (writer: number, cut: number, source: string): string => `${writer}/${cut}/${source}`;
