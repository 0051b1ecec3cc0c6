// The log as the runs of one command see it, each part of it read once: its writers, and which sources their shipped cuts
// hold rows of. It shows whether a run could find anything new, before it asks.

import type { CutContents, EventLog, WriterRow } from '../../events/index.ts';

export interface SeenLog {
  readonly writers: readonly WriterRow[];
  /**
   * Whether a run of this command has asked, and the writers are as of then: all that was pushed before the command is in
   * shipped cuts, but for writers that did not answer.
   */
  readonly hasAsked: boolean;
  /** Whether the writer's shipped cuts after this one hold rows of the source, or may. */
  holds(source: string, writer: number, after: number): Promise<boolean>;
}

/** Before anyone has asked. */
export async function seeLog(log: EventLog | undefined): Promise<SeenLog> {
  return seenLog(log, (await log?.writers()) ?? [], false);
}

/** `writers`: as of an answer. */
export function seenLog(log: EventLog | undefined, writers: readonly WriterRow[], hasAsked: boolean): SeenLog {
  let reading: Promise<readonly CutContents[]> | undefined;
  return {
    writers,
    hasAsked,
    async holds(source, writer, after) {
      reading ??= (log?.contents() ?? Promise.resolve([])).catch((error: unknown) => {
        // Another view asks again.
        reading = undefined;
        throw error;
      });
      const shipped = writers.find(({ number }) => number === writer)?.shipped ?? 0;
      return (await reading).some(
        ({ writer: other, cut, rows }) =>
          other === writer && cut > after && cut <= shipped && (rows === null || (rows.get(source) ?? 0) > 0),
      );
    },
  };
}
