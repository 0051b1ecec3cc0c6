// Counts the rows that a writer takes, source by source, as far as all before them are decided: whoever settles a dead writer's
// log goes on from there, and counts nothing twice.

import type { CutRecord, LogEntry, LogWriter } from '../events/index.ts';
import type { PushedPart, PushedTable } from './pushed-table.ts';

export interface PushedCount {
  /**
   * An entry is about to be appended. Call what it gives once that is decided: with the entry, and whether it counts; without one,
   * it did not get into the log.
   */
  enter(source: string): (entry: LogEntry | undefined, counts: boolean) => void;
  /** So many rows of the source, which counted, do so no longer. */
  takeBack(source: string, rows: number): void;
  /** Writes to the registry what was counted since the last call. Throws while that is away: the next call writes it all. */
  tell(): Promise<void>;
}

interface Entered {
  /** Once it is decided: where it ends, and the rows of it that count; null where it is not in the log. */
  decided?: PushedPart | null;
}

/** Without a table it writes nothing. */
export function createPushedCount(table: PushedTable | undefined, writer: number): PushedCount {
  /** By source, in the order in which they were appended, from the first that is not decided on. */
  const entered = new Map<string, Entered[]>();
  const parts = new Map<string, PushedPart>();
  const untold = new Set<string>();
  return {
    enter(source) {
      const one: Entered = {};
      const waiting = entered.get(source) ?? [];
      entered.set(source, waiting);
      waiting.push(one);
      return (entry, counts) => {
        one.decided =
          entry === undefined ? null : { through: entry.offset + entry.count, rows: counts ? entry.count : 0 };
        let { through, rows } = parts.get(source) ?? { through: 0, rows: 0 };
        let ended = 0;
        for (const { decided } of waiting) {
          if (decided === undefined) break;
          ended++;
          through = decided?.through ?? through;
          rows += decided?.rows ?? 0;
        }
        if (ended === 0) return;
        waiting.splice(0, ended);
        parts.set(source, { through, rows });
        untold.add(source);
      };
    },
    takeBack(source, rows) {
      const part = parts.get(source) ?? { through: 0, rows: 0 };
      parts.set(source, { ...part, rows: part.rows - rows });
      untold.add(source);
    },
    async tell() {
      if (table === undefined || untold.size === 0) return;
      const told = new Map([...untold].map((source) => [source, parts.get(source) as PushedPart]));
      untold.clear();
      try {
        await table.tell(writer, told);
      } catch (error) {
        for (const source of told.keys()) untold.add(source);
        throw error;
      }
    },
  };
}

/** Writes to the registry what a cut of a dead writer's log holds beyond what that writer wrote there; `voids`: offsets of entries that don't count. */
export async function tellPushed(
  table: PushedTable | undefined,
  log: Pick<LogWriter, 'writer' | 'entries'>,
  { cut, voids }: Pick<CutRecord, 'cut'> & { readonly voids: ReadonlySet<number> },
): Promise<void> {
  if (table === undefined) return;
  const parts = new Map(await table.ofWriter(log.writer));
  for await (const { source, offset, count } of log.entries(cut, cut)) {
    const { through, rows } = parts.get(source) ?? { through: 0, rows: 0 };
    if (offset < through) continue;
    parts.set(source, { through: offset + count, rows: rows + (voids.has(offset) ? 0 : count) });
  }
  await table.tell(log.writer, parts);
}
