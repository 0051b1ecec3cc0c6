// What a run's bases count, by positions in the writers' logs: never by times.

import type { Micros } from '../../core/index.ts';

/** Writer → last cut that is counted. A writer below `floor` that is not listed has ended and is counted whole. */
export interface Coverage {
  readonly floor: number;
  /** Infinity counts all there is or will be of a forgotten writer. */
  readonly cuts: ReadonlyMap<number, number>;
}

export const NOTHING_COVERED: Coverage = { floor: 0, cuts: new Map() };

export function isCovered({ floor, cuts }: Coverage, writer: number, cut: number): boolean {
  const last = cuts.get(writer);
  return last === undefined ? writer < floor : cut <= last;
}

/** The last covered cut of a writer: Infinity when it is covered whole, 0 when not at all. */
export function coveredCut({ floor, cuts }: Coverage, writer: number): number {
  return cuts.get(writer) ?? (writer < floor ? Infinity : 0);
}

/** Whether a record's part must be merged with a base that is read by a row of this coverage and boundary. */
export function isBeside(
  row: { readonly coverage: Coverage; readonly boundary: Micros },
  part: { readonly writer: number; readonly cut: number; readonly boundary: Micros },
): boolean {
  return part.boundary >= row.boundary && !isCovered(row.coverage, part.writer, part.cut);
}

/**
 * The boundary of the part that an event goes to: the greatest below its time. Undefined when there is none: then every
 * base in the store has the event from the files.
 */
export function boundaryOf(boundaries: readonly Micros[], eventMicros: Micros): Micros | undefined {
  let found: Micros | undefined;
  for (const boundary of boundaries) {
    if (boundary < eventMicros && (found === undefined || boundary > found)) found = boundary;
  }
  return found;
}

/** As JSON data: infinite cuts are null. */
export function coverageToJson({ floor, cuts }: Coverage): unknown {
  return { floor, cuts: [...cuts].map(([writer, cut]) => [writer, Number.isFinite(cut) ? cut : null]) };
}

export function coverageFromJson(json: unknown): Coverage {
  // coverageToJson wrote it.
  const { floor, cuts } = json as { floor: number; cuts: [number, number | null][] };
  return { floor, cuts: new Map(cuts.map(([writer, cut]) => [writer, cut ?? Infinity])) };
}
