// Rows that were pushed, in the logs of several writers beside a source's files: where each lies, and which of both count.

import type { Micros, Row } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import type { EventLog } from '../../src/events/index.ts';
import { writeCuts, type WrittenCut } from './offline-world.ts';
import type { World } from './oracle.ts';

/** A push: which writer took it in, when, and whether it turned out void. */
export interface PushedBatch {
  readonly rows: readonly Row[];
  /** From 0. */
  readonly writer: number;
  readonly knownMicros: Micros;
  readonly isVoid: boolean;
  /** It was quarantined before, and released at `knownMicros`. */
  readonly isPutBack?: boolean;
  readonly endsCut: boolean;
}

/** Writes pushes to the logs of their writers; gives the rows that were acknowledged, as `World.pushed` has them. */
export async function writePushes(
  log: EventLog,
  source: SourceSpec,
  pushes: readonly PushedBatch[],
): Promise<NonNullable<World['pushed']>> {
  const placed = new Map<Row, { knownMicros: Micros; writer: number; offset: number }>();
  for (const own of Map.groupBy(pushes, ({ writer }) => writer).values()) {
    const writer = await log.register();
    const cuts: WrittenCut['batches'][number][][] = [[]];
    let offset = 0;
    for (const { rows, knownMicros, isVoid, isPutBack, endsCut } of own) {
      const batch = { source, rows: rows.map((row) => ({ row, knownMicros })), isVoid };
      cuts.at(-1)?.push({ ...batch, ...(isPutBack === true && { isPutBack }) });
      for (const row of rows) {
        if (!isVoid) placed.set(row, { knownMicros, writer: writer.writer, offset });
        offset++;
      }
      if (endsCut) cuts.push([]);
    }
    await writeCuts(
      writer,
      cuts.map((batches) => ({ batches })),
    );
  }
  return placed;
}

/** The rows that count, by the definition: with a boundary those of files up to it, those of the log past it. */
export function countedRows(
  { pushes, eventTime, completeAfterMicros = 0 }: SourceSpec,
  files: readonly Row[],
  pushed: readonly Row[],
): Row[] {
  if (pushes === 'keep' || (pushed.length === 0 && completeAfterMicros === 0)) return [...files, ...pushed];
  const eventOf = (row: Row): Micros | null => (row[eventTime] ?? null) as Micros | null;
  const times = files.flatMap((row) => eventOf(row) ?? []);
  const boundary = Math.max(-Infinity, ...times) - completeAfterMicros;
  const isUpTo = (row: Row): boolean => (eventOf(row) ?? Infinity) <= boundary;
  const isPast = (row: Row): boolean => (eventOf(row) ?? Infinity) > boundary;
  return [...files.filter(isUpTo), ...pushed.filter(isPast)];
}
