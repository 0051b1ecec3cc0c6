// The truth about the data behind every view: how old its newest fact and its last run are, what each writer's log has
// that no run covers yet, and what holds it up. Asked across owners: definitions, runs, writers, marks.

import { formatTimestamp, type Micros, MICROS_PER_SECOND } from '../core/index.ts';
import type { Manifest } from '../definitions/index.ts';
import type { CutContents, EventLog, WriterRow } from '../events/index.ts';
import { coveredCut, createViewCodec, type OnlineStore, type RunRow, type Runs } from '../online/index.ts';

export interface ViewStatus {
  readonly view: string;
  readonly version: string;
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
   * time were stamped by it.
   */
  readonly clock_ahead_seconds: number;
}

export interface ViewStatusDeps {
  readonly manifest: Manifest;
  readonly runs: Pick<Runs, 'ofVersion' | 'lastLook'>;
  readonly log: Pick<EventLog, 'writers' | 'contents'>;
  readonly store: Pick<OnlineStore, 'marks'>;
  readonly nowMicros: Micros;
}

/** All views in the manifest's order, or those named. Throws what the registry and the store say. */
export async function viewStatuses(deps: ViewStatusDeps, names?: readonly string[]): Promise<ViewStatus[]> {
  const [writers, contents] = await Promise.all([deps.log.writers(), deps.log.contents()]);
  const wanted = names ?? Object.keys(deps.manifest.views);
  return Promise.all(wanted.map((name) => viewStatus(deps, name, writers, contents)));
}

async function viewStatus(
  deps: ViewStatusDeps,
  name: string,
  writers: readonly WriterRow[],
  contents: readonly CutContents[],
): Promise<ViewStatus> {
  const codec = createViewCodec(deps.manifest, name);
  const rows = await deps.runs.ofVersion(codec.version);
  const finished = rows.findLast((row) => row.state === 'finished');
  const newest = rows.at(-1);
  const look = await deps.runs.lastLook(codec.version);
  const aged = (at: Micros): Aged => ({
    at: formatTimestamp(at),
    age_seconds: Math.max(0, Math.round((deps.nowMicros - at) / MICROS_PER_SECOND)),
  });
  const lookedAt = Math.max(look?.at ?? -Infinity, finished === undefined ? -Infinity : endOf(finished));
  const newestEvent = finished?.counts?.newestMicros;
  return {
    view: name,
    version: codec.version,
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
    marks: (await deps.store.marks(codec.version)).map(({ node, run }) => ({ node, run: run ?? null })),
  };
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
