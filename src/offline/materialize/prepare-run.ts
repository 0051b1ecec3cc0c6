// Plans a run that has asked, and finds its keys.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Finding } from '../../checks/index.ts';
import { HeadraceError, type Micros } from '../../core/index.ts';
import type { WriterRow } from '../../events/index.ts';
import {
  isOpened,
  type NodeMark,
  type OpenedRow,
  type OpenPlan,
  planRun,
  type RunRow,
  type SnapshotFile,
} from '../../online/index.ts';
import { openFacts } from '../facts/open-facts.ts';
import type { AnsweredWriters } from './ask-writers.ts';
import { type Changes, findChanges, isUnchanged } from './changes.ts';
import { checkRun, checkStanding } from './check-run.ts';
import { newestOf } from './newest-fact.ts';
import type { RunScope } from './run-scope.ts';
import { findAllKeys, findChangedKeys, type TouchedKeys } from './touched-keys.ts';
import type { ViewRun } from './view-run.ts';
import { dropTables } from './work-table.ts';

export interface PreparedRun {
  readonly plan: OpenPlan;
  readonly writers: readonly WriterRow[];
  /** Those for whom the boundary stays where it was. */
  readonly heldBy: readonly WriterRow[];
  readonly scope: RunScope;
  /** Rows of the version before the run's own, oldest first, whose bases may lie in the store. */
  readonly earlier: readonly OpenedRow[];
  readonly touched: TouchedKeys;
  /** Whether the last finished run knew all of it already, nothing came after that run, and none is due. */
  readonly isUpToDate: boolean;
  /** Event time of the newest fact; null for none. */
  readonly newestMicros: Micros | null;
  /** What came of what is expected of the source and the view's keys. */
  readonly findings: readonly Finding[];
  close(): Promise<void>;
}

/** What is there of a version when a run of it is planned. */
interface VersionRows {
  readonly marks: readonly NodeMark[];
  /**
   * All, or those from the lowest mark's on where one of them has finished: what a run can build on, what it must cover,
   * and the boundary in force.
   */
  readonly rows: readonly RunRow[];
}

/** The marks first: a row that one names is there. */
async function readVersionRows({ deps, codec }: Pick<ViewRun, 'deps' | 'codec'>): Promise<VersionRows> {
  const marks = await deps.store.marks(codec.version);
  const lowest = marks.reduce((least, { run }) => Math.min(least, run ?? 0), marks.length === 0 ? 0 : Infinity);
  const rows = await deps.runs.ofVersion(codec.version, lowest);
  const isEnough = lowest === 0 || rows.some(({ state }) => state === 'finished');
  return { marks, rows: isEnough ? rows : await deps.runs.ofVersion(codec.version) };
}

/** Throws HR_BOUNDARY_HELD where the run has to stop. */
export async function prepareRun(
  run: ViewRun,
  row: RunRow,
  { writers, answered }: AnsweredWriters,
): Promise<PreparedRun> {
  const before = await readVersionRows(run);
  const earlier = before.rows.filter(isOpened).filter(({ number }) => number < row.number);
  const plan = await planView(run, row, before, { writers, answered });
  const connection = await run.deps.duckdb.connect();
  try {
    const prepared = await prepareWork(run, connection, plan, earlier);
    return { plan, writers, heldBy: heldBy(plan.heldBy, writers), earlier, ...prepared };
  } catch (error) {
    connection.closeSync();
    throw error;
  }
}

async function prepareWork(
  run: ViewRun,
  connection: DuckDBConnection,
  plan: OpenPlan,
  earlier: readonly OpenedRow[],
): Promise<Omit<PreparedRun, 'plan' | 'writers' | 'heldBy' | 'earlier'>> {
  const { deps, codec, snapshot, asOf, waits, request } = run;
  const facts = await openFacts(connection, codec.source, deps, { snapshot, ...plan });
  const scope: RunScope = {
    codec,
    duckdb: deps.duckdb,
    connection,
    facts,
    asOf,
    waits,
    finished: earlier.findLast(({ state }) => state === 'finished'),
  };
  const { keys, changes, isUnchanged } = await findKeys(run, scope, plan, earlier);
  const dropKeys = () => dropTables(connection, [keys.table, keys.logTable]);
  try {
    const isUpToDate = isUnchanged && request.from === undefined && !request.isDue;
    const newestMicros = newestOf(plan.isFull ? undefined : scope.finished, keys);
    const now = deps.clock.nowMicros();
    // Who goes back to an earlier time wants everything looked at again.
    const since = request.from === undefined ? changes : null;
    const check = { now, boundary: plan.boundary, changes: since, isFull: plan.isFull, newestMicros, touched: keys };
    return {
      scope,
      touched: keys,
      isUpToDate,
      newestMicros,
      findings: isUpToDate ? checkStanding(scope, newestMicros, now) : await checkRun(scope, check),
      async close() {
        try {
          await dropKeys();
        } finally {
          connection.closeSync();
        }
      },
    };
  } catch (error) {
    await dropKeys();
    throw error;
  }
}

async function planView(
  { deps, codec, request, snapshot }: ViewRun,
  row: RunRow,
  { marks, rows }: VersionRows,
  { writers, answered }: AnsweredWriters,
): Promise<OpenPlan> {
  const opened = rows.filter(isOpened).map(({ number }) => number);
  const files = marks.every(({ run }) => run !== undefined)
    ? await deps.runs.snapshots(codec.version, opened)
    : new Map<number, readonly SnapshotFile[]>();
  const situation = {
    mode: codec.source.pushes,
    row: { ...row, snapshot: snapshot.files },
    rows: rows.map((one) => ({ ...one, snapshot: files.get(one.number) })),
    writers,
    answered,
    marks,
  };
  const isFullAsked = !request.incremental && request.from === undefined;
  const plan = planRun({ ...situation, isFullAsked });
  if (plan.kind === 'stop') throw stopped(request.view, plan.why, heldBy(plan.heldBy, writers));
  const since = rows.filter(({ number }) => number >= plan.since && number < row.number);
  if (plan.isFull || since.every((one) => !isOpened(one) || one.fingerprint === row.fingerprint)) return plan;
  const anew = planRun({ ...situation, isFullAsked: true });
  if (anew.kind === 'stop') throw stopped(request.view, anew.why, heldBy(anew.heldBy, writers));
  return { ...anew, why: 'the view is computed otherwise than before' };
}

async function findKeys(
  { deps, codec, snapshot, asOf, asks: { carriesWaiting }, request }: ViewRun,
  scope: RunScope,
  plan: OpenPlan,
  earlier: readonly OpenedRow[],
): Promise<{ readonly keys: TouchedKeys; readonly changes: Changes | null; readonly isUnchanged: boolean }> {
  if (plan.changes === null) return { keys: await findAllKeys(scope), changes: null, isUnchanged: false };
  const since = earlier.filter(({ number }) => number >= plan.since);
  const { boundary, coverage } = plan;
  const next = { snapshot: snapshot.files, coverage, asOf, carriesWaiting };
  const changes = await findChanges(scope.connection, codec, deps, plan.changes, since, next);
  const keys = await findChangedKeys(scope, changes, boundary, request.from);
  return { keys, changes, isUnchanged: isUnchanged(changes) && since.length === 1 && since[0]?.state === 'finished' };
}

function heldBy(numbers: readonly number[], writers: readonly WriterRow[]): WriterRow[] {
  return writers.filter(({ number }) => numbers.includes(number));
}

function stopped(view: string, why: string, holders: readonly WriterRow[]): HeadraceError {
  const where = holders.map(({ number, machine }) => `writer ${number} on ${machine}`).join(', ');
  const advice = ` (${where}); \`headrace log forget\` is for a machine that will not return.`;
  return new HeadraceError(
    'HR_BOUNDARY_HELD',
    `view "${view}" cannot be materialized yet: ${why}. Run it again once it answers${where === '' ? '.' : advice}`,
  );
}
