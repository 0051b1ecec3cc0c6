// What a piece of a log holds, without its entries: taken together record by record, each checked to follow the one before.

import { advance, type LogRecord, type Mark, type Positions, type Seal } from './log-record.ts';

export interface LogSummary {
  /** Cuts of its first and last entry; undefined without entries. */
  readonly firstCut: number | undefined;
  readonly lastCut: number | undefined;
  /** Where the log stands after it. */
  readonly end: Positions;
  readonly marks: readonly Mark[];
  readonly seals: readonly Seal[];
  readonly contents: LogContents;
}

/** Rows by cut and source, those of void entries too. */
export type LogContents = readonly (readonly [cut: number, source: string, rows: number])[];

export interface Summing {
  /** Where the log stands after what was added. */
  readonly at: Positions;
  /** A sentence when the record can't follow what came before: then it is not added. */
  add(record: LogRecord): string | undefined;
  summary(): LogSummary;
}

/** `begin`: where the log stands before it. */
export function createSumming(begin: Positions): Summing {
  let at = begin;
  const marks: Mark[] = [];
  const seals: Seal[] = [];
  const rows = new Map<number, Map<string, number>>();
  let [firstCut, lastCut]: (number | undefined)[] = [];
  return {
    get at() {
      return at;
    },
    add(record) {
      const next = advance(at, record);
      if (typeof next === 'string') return next;
      at = next;
      if (record.kind === 'mark') marks.push(record);
      else if (record.kind === 'seal') seals.push(record);
      else {
        firstCut ??= at.cut;
        lastCut = at.cut;
        const ofCut = rows.get(at.cut) ?? new Map<string, number>();
        rows.set(at.cut, ofCut.set(record.source, (ofCut.get(record.source) ?? 0) + record.count));
      }
      return undefined;
    },
    summary() {
      const contents = [...rows].flatMap(([cut, of]) =>
        [...of].map(([source, count]) => [cut, source, count] as const),
      );
      return { firstCut, lastCut, end: at, marks: [...marks], seals: [...seals], contents };
    },
  };
}
