// Which cuts of the log may go. A cut goes whole, and only after all before it; one that holds a single event that must
// stay keeps what comes after it too. Pure: what the store, the registry and the facts say comes in as values.

import type { Micros } from '../../core/index.ts';
import type { CutContents, WriterRow } from '../../events/index.ts';

/** What of a source's log may go, as far as its views and its age tell. */
export interface SourceLimit {
  /** Events up to it in event time; null where none may. */
  readonly goesUpTo: Micros | null;
  /** The last cut of a writer that every node's mark of every view over the source covers. */
  coveredCut(writer: number): number;
}

export interface RemovalSituation {
  readonly writers: readonly Pick<WriterRow, 'number' | 'shipped' | 'removed'>[];
  readonly contents: readonly CutContents[];
  /** Of the sources that are defined. */
  readonly limits: ReadonlyMap<string, SourceLimit>;
  /** Of a source that is not: by age alone, for nobody can tell its event times any more. */
  readonly goneUpTo: Micros | null;
  /** The newest event time of a defined source's rows in a cut; null where all are void. */
  newest(writer: number, cut: number, source: string): Micros | null;
}

export interface WriterRemoval {
  readonly writer: number;
  /** The first and last cut that go; none where `through` is below `from`. */
  readonly from: number;
  readonly through: number;
  /** Rows that go, by source. */
  readonly rows: ReadonlyMap<string, number>;
  /** Why the next cut stays; null when nothing is left that could. */
  readonly stays: Reason | null;
}

export interface Reason {
  readonly cut: number;
  readonly why: 'kept' | 'uncovered' | 'new' | 'unknown';
  readonly source: string | null;
}

/** Of every writer with shipped cuts that were not removed. */
export function planRemoval(situation: RemovalSituation): WriterRemoval[] {
  const contents = new Map<number, Map<number, CutContents>>();
  for (const one of situation.contents) {
    const ofWriter = contents.get(one.writer) ?? new Map<number, CutContents>();
    contents.set(one.writer, ofWriter.set(one.cut, one));
  }
  return situation.writers
    .filter(({ shipped, removed }) => removed < shipped)
    .map(({ number, shipped, removed }): WriterRemoval => {
      const rows = new Map<string, number>();
      const removal = { writer: number, from: removed + 1, rows };
      for (let cut = removed + 1; cut <= shipped; cut++) {
        const held = contents.get(number)?.get(cut);
        // An empty cut is one that a run asked for.
        if (held === undefined) continue;
        const reason = whyStays(situation, held);
        if (reason !== null) return { ...removal, through: cut - 1, stays: { cut, ...reason } };
        for (const [source, count] of held.rows ?? []) rows.set(source, (rows.get(source) ?? 0) + count);
      }
      return { ...removal, through: shipped, stays: null };
    });
}

function whyStays(
  { limits, goneUpTo, newest }: RemovalSituation,
  { writer, cut, rows, shippedMicros }: CutContents,
): Omit<Reason, 'cut'> | null {
  if (rows === null) return { why: 'unknown', source: null };
  for (const source of rows.keys()) {
    const limit = limits.get(source);
    const goesUpTo = limit === undefined ? goneUpTo : limit.goesUpTo;
    if (goesUpTo === null) return { why: 'kept', source };
    if (limit !== undefined && limit.coveredCut(writer) < cut) return { why: 'uncovered', source };
    const last = limit === undefined ? shippedMicros : newest(writer, cut, source);
    if (last !== null && last > goesUpTo) return { why: 'new', source };
  }
  return null;
}
