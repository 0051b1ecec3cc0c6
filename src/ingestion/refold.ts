// Parts rebuilt from the log: what a node may have lost since its mark, and what a dead writer left undone.

import type { Row } from '../core/index.ts';
import type { CutRecord, LogEntry, LogWriter } from '../events/index.ts';
import {
  type Claim,
  coveredCut,
  isPastMark,
  type OnlineStore,
  type RunRow,
  type Runs,
  type StoreWriter,
  type VersionId,
} from '../online/index.ts';
import { claimAgain, claimOf, finishAgain } from './claim-desk.ts';
import { narrowed } from './cut-view.ts';
import { foldEntry, type LensRows } from './fold-entry.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import { knownOf } from './known-time.ts';
import { createPartTable, type Part } from './part-table.ts';
import type { PartWriter } from './part-writer.ts';
import { encodeResult, type PushedView } from './push-result.ts';
import type { Lens, SourcePlans } from './source-plan.ts';

/** By version, the row of the run in a node's mark; a version without one is missing. */
export type NodeMarks = ReadonlyMap<VersionId, RunRow>;

/** Every node's marks of the live versions, or those of `only` one, by node. */
export async function readMarks(
  store: Pick<OnlineStore, 'marks'>,
  runs: Pick<Runs, 'row'>,
  plans: SourcePlans,
  only?: string,
): Promise<ReadonlyMap<string, NodeMarks>> {
  const rows = new Map<number, RunRow | undefined>();
  const nodes = new Map<string, Map<VersionId, RunRow>>();
  for (const { codec } of plans.live()) {
    for (const { node, run } of await store.marks(codec.version, only)) {
      const marks = nodes.get(node) ?? new Map<VersionId, RunRow>();
      nodes.set(node, marks);
      if (run === undefined) continue;
      if (!rows.has(run)) rows.set(run, await runs.row(run));
      const row = rows.get(run);
      if (row !== undefined) marks.set(codec.version, row);
    }
  }
  return nodes;
}

/** Whether no live version needs the writer's cuts up to `cut` any more, at any node. */
export function isCoveredEverywhere(
  nodes: ReadonlyMap<string, NodeMarks>,
  plans: SourcePlans,
  writer: number,
  cut: number,
): boolean {
  return plans.live().every(({ codec }) =>
    [...nodes.values()].every((marks) => {
      const coverage = marks.get(codec.version)?.coverage;
      return coverage !== null && coverage !== undefined && coveredCut(coverage, writer) >= cut;
    }),
  );
}

export interface Refold {
  readonly deps: Pick<IngestionDeps, 'clock'>;
  readonly plans: SourcePlans;
  readonly log: LogWriter;
  readonly parts: PartWriter;
  readonly store: Pick<StoreWriter, 'nodeOf' | 'claim' | 'finish'>;
}

export interface DecidedCut extends Pick<CutRecord, 'cut' | 'view'> {
  readonly isSealed: boolean;
  /** Whether an entry is decided and not void. */
  counts(entry: LogEntry): boolean;
  /** Whether the push of a claim was answered; left out, all were that will be. */
  isAnswered?(id: string): boolean;
  /** Which claims are to be written; left out, all. */
  isClaimWanted?(id: string): boolean;
}

/**
 * Folds a cut again and writes those of its parts that lie at one of `nodes` past its marks, and the claims that its
 * entries hold, with their answers; gives the claims that it wrote. Reads nothing of a sealed cut where no mark is behind.
 */
export async function refoldCut(
  { deps, plans, log, parts, store }: Refold,
  { cut, view, isSealed, counts, isAnswered = () => true, isClaimWanted = () => true }: DecidedCut,
  nodes: ReadonlyMap<string, NodeMarks>,
): Promise<readonly Claim[]> {
  const isNeeded = (version: VersionId): boolean =>
    [...nodes.values()].some((marks) => isPastMark(marks.get(version), log.writer, cut));
  const needed = narrowed(view, isNeeded);
  if (needed.size === 0 && isSealed) return [];
  const table = createPartTable(log.writer, cut);
  const claims: Claim[] = [];
  // An answer tells of all views and nodes, though only parts past their marks are written.
  const context = { view, table, nowMicros: () => deps.clock.nowMicros() };
  for await (const entry of log.entries(cut, cut)) {
    const plan = plans.of(entry.source);
    if (plan === undefined || !counts(entry)) continue;
    const { views } = await foldEntry(plan, entry, (lens) => loggedRows(lens, entry), context);
    const claim = claimOf(entry);
    if (claim !== undefined && isClaimWanted(claim.id)) claims.push({ ...claim, result: resultOf(entry, views) });
  }
  // In the order of a push: whoever repeats a key meanwhile must neither count anew nor be answered too soon.
  await claimAgain(store, claims);
  const isWanted = (part: Part): boolean =>
    part.fold !== undefined && needed.has(part.version) && nodes.has(store.nodeOf(part.entity, part.key));
  await parts.write([...table.all()].filter(isWanted));
  await finishAgain(
    store,
    claims.filter(({ id }) => isAnswered(id)),
  );
  return claims;
}

/** An entry's rows as a lens has them, derived again. */
export async function loggedRows(lens: Lens, entry: LogEntry): Promise<LensRows> {
  const pushed = entry.rows(lens.source);
  const rows = await lens.deriveAgain(pushed.map(({ row }) => row));
  const known = pushed.map(({ knownMicros }, i) => {
    return knownOf(lens.source, rows[i] as Row, knownMicros, entry.isPutBack);
  });
  return { rows, known };
}

export function resultOf(entry: LogEntry, views: readonly PushedView[]): string {
  return encodeResult({ accepted: entry.count, views });
}
