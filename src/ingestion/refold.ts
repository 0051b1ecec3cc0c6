// Parts rebuilt from the log: what a node may have lost since its mark, and what a dead writer left undone.

import type { Row } from '../core/index.ts';
import type { CutRecord, LogEntry, LogWriter, WriterRow } from '../events/index.ts';
import {
  type Claim,
  coveredCut,
  holdsClaim,
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
import type { OpenCut } from './open-cut.ts';
import { createPartTable, type Part, type PartTable } from './part-table.ts';
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
  readonly deps: Pick<IngestionDeps, 'clock' | 'log'>;
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
  /** Of an unsealed cut: entries that others' pushes of the same keys stand for are void from now on. */
  makeVoid?(offsets: ReadonlySet<number>): Promise<void> | void;
}

/**
 * Folds a cut again and writes those of its parts that lie at one of `nodes` past its marks, and the claims that its
 * entries hold, with their answers; gives the claims that it wrote. Reads nothing of a sealed cut where no mark is behind.
 * Throws while nobody knows whether another's push counts that holds the key of one of an unsealed cut's entries.
 */
export async function refoldCut(
  { deps, plans, log, parts, store }: Refold,
  { cut, view, isSealed, counts, isAnswered = () => true, isClaimWanted = () => true, makeVoid }: DecidedCut,
  nodes: ReadonlyMap<string, NodeMarks>,
): Promise<readonly Claim[]> {
  const isNeeded = (version: VersionId): boolean =>
    [...nodes.values()].some((marks) => isPastMark(marks.get(version), log.writer, cut));
  const needed = narrowed(view, isNeeded);
  if (needed.size === 0 && isSealed) return [];

  const foldAll = async (lost: ReadonlySet<number>) => {
    const table = createPartTable(log.writer, cut);
    const claims: Claim[] = [];
    /** Parts that had something of the lost entries. */
    const changed = new Set<Part>();
    for await (const entry of log.entries(cut, cut)) {
      const isVoid = lost.has(entry.offset);
      const plan = plans.of(entry.source);
      if (plan === undefined || !(isVoid || counts(entry))) continue;
      // An answer tells of all views and nodes, though only parts past their marks are written.
      const context = { view, table, nowMicros: () => deps.clock.nowMicros(), isVoid };
      const folded = await foldEntry(plan, entry, (lens) => loggedRows(lens, entry), context);
      if (isVoid) for (const part of folded.parts) changed.add(part);
      const claim = isVoid ? undefined : claimOf(entry);
      if (claim !== undefined && isClaimWanted(claim.id))
        claims.push({ ...claim, result: resultOf(entry, folded.views) });
    }
    return { table, claims, changed };
  };

  let folded = await foldAll(new Set());
  // In the order of a push: whoever repeats a key meanwhile must neither count anew nor be answered too soon.
  const holding = await claimAgain(store, folded.claims);
  const lost = makeVoid === undefined ? new Set<number>() : await findLost(deps.log, folded.claims, holding);
  if (lost.size > 0) {
    await makeVoid?.(lost);
    folded = await foldAll(lost);
  }
  const { table, claims, changed } = folded;
  const isWanted = (part: Part): boolean =>
    part.fold !== undefined && needed.has(part.version) && nodes.has(store.nodeOf(part.entity, part.key));
  // Those that lost something at every node; without nodes the parts are in memory, for whoever made the entries void.
  const isWritten = (part: Part): boolean => isWanted(part) || (nodes.size > 0 && changed.has(part));
  await parts.write([...table.all()].filter(isWritten));
  await finishAgain(
    store,
    claims.filter(({ id }) => isAnswered(id)),
  );
  return claims;
}

/** Offsets of those of the claims whose keys others hold for pushes that count. Throws where that is not known yet. */
async function findLost(
  log: Pick<IngestionDeps['log'], 'writers'>,
  claims: readonly Claim[],
  holding: readonly Claim[],
): Promise<ReadonlySet<number>> {
  const lost = new Set<number>();
  let writers: readonly WriterRow[] | undefined;
  for (const [at, claim] of claims.entries()) {
    const holder = holding[at];
    if (holder === undefined || holdsClaim(claim, holder)) continue;
    const state =
      holder.result === undefined
        ? (writers ??= await log.writers()).find(({ number }) => number === holder.writer)?.state
        : 'ended';
    // Of a forgotten one nobody will know; this one was acknowledged.
    if (state === 'forgotten') continue;
    if (state !== 'ended')
      throw new Error(
        `writer ${holder.writer} took a push with an Idempotency-Key of writer ${claim.writer} and has not answered it yet`,
      );
    lost.add(claim.offset);
  }
  return lost;
}

/**
 * Takes void entries out of the parts of an open cut, which are in memory; gives the parts that had something of them.
 * `isFolded` says of an entry of the log whether the parts have it.
 */
export async function takeOut(
  { deps, log }: Pick<Refold, 'deps' | 'log'>,
  { cut, view, plans, table, voids }: OpenCut,
  lost: ReadonlySet<number>,
  isFolded: (offset: number) => boolean,
): Promise<readonly Part[]> {
  const without = createPartTable(log.writer, cut);
  const outside = new Set(voids);
  const context = { view, nowMicros: () => deps.clock.nowMicros() };
  const taken: { readonly known: readonly Part[]; readonly fresh: readonly Part[] }[] = [];
  for await (const entry of log.entries(cut, cut)) {
    const isVoid = lost.has(entry.offset);
    const plan = plans.of(entry.source);
    if (plan === undefined || !(isVoid || (isFolded(entry.offset) && !outside.has(entry.offset)))) continue;
    const fold = (into: PartTable) =>
      foldEntry(plan, entry, (lens) => loggedRows(lens, entry), { ...context, table: into, isVoid });
    const { parts: fresh } = await fold(without);
    // The same rows find the same parts in the same order, whichever table they are in.
    if (isVoid) taken.push({ known: (await fold(table)).parts, fresh });
  }
  for (const { known, fresh } of taken) known.forEach((part, at) => table.put(part, fresh[at]?.fold as Uint8Array));
  return [...new Set(taken.flatMap(({ known }) => known))];
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
