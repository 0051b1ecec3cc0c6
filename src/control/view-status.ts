// The truth about the data behind every view: how old its newest fact and its last run are, what each writer's log has
// that no run covers yet, and what holds it up. Asked across owners: definitions, runs, writers, marks.

import { formatTimestamp, type Micros, MICROS_PER_SECOND } from '../core/index.ts';
import type { CutContents, EventLog, WriterRow } from '../events/index.ts';
import type { Missing } from '../offline/index.ts';
import {
  coveredCut,
  createViewCodec,
  describeLack,
  lackOf,
  type NodeMark,
  type OnlineStore,
  type RunRow,
  type Runs,
  type StorePlace,
  type VersionId,
} from '../online/index.ts';
import type { KeptVersion, VersionReader } from './kept-versions.ts';

export interface ViewStatus {
  readonly view: string;
  readonly version: string;
  /** Whether it is what is applied; others are kept for whoever reads them. */
  readonly current: boolean;
  /** Whether readers may take it; a view's first version is read while it is filled. */
  readonly complete: boolean;
  /** What it waits for while it is not complete; null once it is. */
  readonly waits_for: WaitsFor | null;
  readonly read_by: readonly VersionReader[];
  /** Since when nothing reads it; null while something does. */
  readonly unread_since: string | null;
  readonly source: string;
  readonly freshness: 'live' | 'scheduled';
  /** The newest event that the last finished run counted; null before there was one. */
  readonly newest_event: Aged | null;
  readonly last_run: LastRun | null;
  /** When a run last finished, or found nothing to do; null before either. */
  readonly last_look: Aged | null;
  /** A run that asks or writes right now. */
  readonly running: { readonly run: number; readonly state: string; readonly asked_at: string } | null;
  /** Why the newest run came to nothing; null when it did not, and once a later one found nothing to do. */
  readonly failed: { readonly run: number; readonly error: string } | null;
  /** Up to it in event time the files count, past it the log; null where the log counts whole. */
  readonly boundary: string | null;
  readonly coverage: readonly WriterCoverage[];
  /** Each node of the store with the run whose bases it has whole; null for none. */
  readonly marks: readonly { readonly node: string; readonly run: number | null }[];
  /** What is not in the store that was opened, though a run has filled the version; null where nothing lacks. */
  readonly store_lacks: StoreLacks | null;
}

export interface StoreLacks {
  /** Nodes without its mark. */
  readonly nodes: readonly string[];
  /** No node has one. */
  readonly absent: boolean;
  readonly reason: string;
}

export interface WaitsFor {
  /** Nodes that no run of the version has filled. */
  readonly nodes: readonly string[];
  /** Writers that opened cuts without it which no run covers. */
  readonly writers: readonly { readonly writer: number; readonly machine: string }[];
}

export interface Aged {
  readonly at: string;
  readonly age_seconds: number;
}

export interface LastRun {
  readonly run: number;
  readonly as_of: string;
  readonly finished: Aged;
  readonly keys: number;
  readonly full: boolean;
}

/** How far the last finished run counts a writer's log. */
export interface WriterCoverage {
  readonly writer: number;
  readonly machine: string;
  readonly state: WriterRow['state'];
  /** The last cut that the run counts, the last that is shipped, and the one that is open. */
  readonly covered: number;
  readonly shipped: number;
  readonly open: number;
  /** Shipped cuts with events of the view's source that no run covers yet: readers merge their parts. */
  readonly waiting: number;
  /**
   * How far its clock was ahead of the asker's when it last told of itself; 0 when it was not. Events that name no known
   * time are stamped by it, or by the online store's where it is more than a minute past that.
   */
  readonly clock_ahead_seconds: number;
}

export interface ViewStatusDeps {
  readonly versions: readonly KeptVersion[];
  readonly runs: Pick<Runs, 'ofVersion' | 'lastLook'>;
  readonly log: Pick<EventLog, 'writers' | 'contents'>;
  readonly store: Pick<OnlineStore, 'marks'>;
  readonly storePlace: StorePlace;
  /** The project whose definitions are applied. */
  readonly applied: string;
  readonly nowMicros: Micros;
}

/** Every version of every view, the one that is applied first. Throws what the registry and the store say. */
export async function viewStatuses(deps: ViewStatusDeps): Promise<ViewStatus[]> {
  const [writers, contents] = await Promise.all([deps.log.writers(), deps.log.contents()]);
  const statuses = await Promise.all(deps.versions.map((version) => viewStatus(deps, version, writers, contents)));
  return statuses.toSorted((a, b) =>
    a.view === b.view ? Number(b.current) - Number(a.current) : a.view < b.view ? -1 : 1,
  );
}

async function viewStatus(
  deps: ViewStatusDeps,
  kept: KeptVersion,
  writers: readonly WriterRow[],
  contents: readonly CutContents[],
): Promise<ViewStatus> {
  const { live, missing, unreadSinceMicros } = kept;
  const codec = createViewCodec(live.definitions.manifest, live.view);
  const rows = await deps.runs.ofVersion(codec.version);
  const finished = rows.findLast((row) => row.state === 'finished');
  const newest = rows.at(-1);
  const look = await deps.runs.lastLook(codec.version);
  const marks = await deps.store.marks(codec.version);
  const aged = (at: Micros): Aged => ({
    at: formatTimestamp(at),
    age_seconds: Math.max(0, Math.round((deps.nowMicros - at) / MICROS_PER_SECOND)),
  });
  const lookedAt = Math.max(look?.at ?? -Infinity, finished === undefined ? -Infinity : endOf(finished));
  const newestEvent = finished?.counts?.newestMicros;
  return {
    view: live.view,
    version: codec.version,
    current: live.isCurrent,
    complete: missing === null,
    waits_for: missing === null ? null : presentMissing(missing),
    read_by: kept.readBy,
    unread_since: unreadSinceMicros === null ? null : formatTimestamp(unreadSinceMicros),
    source: codec.source.name,
    freshness: codec.isLive ? 'live' : 'scheduled',
    newest_event: newestEvent === undefined || newestEvent === null ? null : aged(newestEvent),
    last_run: finished === undefined ? null : lastRun(finished, aged),
    last_look: lookedAt === -Infinity ? null : aged(lookedAt),
    running:
      newest?.state === 'asked' || newest?.state === 'open'
        ? { run: newest.number, state: newest.state, asked_at: formatTimestamp(newest.askedMicros) }
        : null,
    failed:
      newest?.state === 'abandoned' && newest.number > (look?.lastRun ?? 0)
        ? { run: newest.number, error: newest.error ?? 'it was cut off' }
        : null,
    boundary:
      finished?.boundary === undefined || finished.boundary === null || finished.boundary === -Infinity
        ? null
        : formatTimestamp(finished.boundary),
    coverage: coverageOf(finished, writers, contents, codec.source.name, deps.nowMicros),
    marks: marks.map(({ node, run }) => ({ node, run: run ?? null })),
    store_lacks: missing !== null || finished === undefined ? null : storeLacks(deps, live.version, marks),
  };
}

function storeLacks(
  { storePlace, applied }: ViewStatusDeps,
  version: VersionId,
  marks: readonly NodeMark[],
): StoreLacks | null {
  const lack = lackOf(marks);
  if (lack === undefined) return null;
  const reason = describeLack([version], lack, storePlace, applied);
  return { nodes: lack.nodes, absent: lack.isAbsent, reason };
}

function presentMissing({ nodes, writers }: Missing): WaitsFor {
  return { nodes, writers: writers.map(({ number, machine }) => ({ writer: number, machine })) };
}

const endOf = ({ finishedMicros, askedMicros }: RunRow): Micros => finishedMicros ?? askedMicros;

function lastRun(row: RunRow, aged: (at: Micros) => Aged): LastRun {
  return {
    run: row.number,
    as_of: formatTimestamp(row.asOf),
    finished: aged(endOf(row)),
    keys: row.counts?.keys ?? 0,
    full: row.isFull,
  };
}

/** Of the writers that are not counted whole; those that ended and are covered tell nothing any more. */
function coverageOf(
  row: RunRow | undefined,
  writers: readonly WriterRow[],
  contents: readonly CutContents[],
  source: string,
  nowMicros: Micros,
): WriterCoverage[] {
  return writers.flatMap((writer) => {
    const covered = row?.coverage ? coveredCut(row.coverage, writer.number) : 0;
    const waits = ({ writer: number, cut, rows }: CutContents): boolean =>
      number === writer.number && cut > covered && (rows === null || (rows.get(source) ?? 0) > 0);
    const waiting = contents.filter(waits).length;
    if (writer.state !== 'open' && waiting === 0) return [];
    return {
      writer: writer.number,
      machine: writer.machine,
      state: writer.state,
      covered: Math.min(covered, writer.cut),
      shipped: writer.shipped,
      open: writer.cut,
      waiting,
      clock_ahead_seconds: Math.max(0, Math.round((writer.seenMicros - nowMicros) / MICROS_PER_SECOND)),
    };
  });
}
