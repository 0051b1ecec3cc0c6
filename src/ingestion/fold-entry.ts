// One entry of the log into the parts of its cut: the same for a push that just came and for a log that is read again.

import type { Micros, Row } from '../core/index.ts';
import type { CutView, LogEntry } from '../events/index.ts';
import { boundaryOf, type ViewEvent } from '../online/index.ts';
import { createBreather } from './breathe.ts';
import type { Part, PartShelf, PartTable } from './part-table.ts';
import type { PushedView } from './push-result.ts';
import type { SourcePlan } from './source-plan.ts';

export interface FoldedEntry {
  /** Those that changed. */
  readonly parts: readonly Part[];
  readonly views: readonly PushedView[];
}

export interface FoldContext {
  readonly view: CutView;
  readonly table: PartTable;
  readonly nowMicros: () => Micros;
}

/** `rows` are the entry's, complete with derived columns; `knownMicros` theirs. */
export async function foldEntry(
  plan: SourcePlan,
  entry: LogEntry,
  rows: readonly Row[],
  knownMicros: readonly Micros[],
  context: FoldContext,
): Promise<FoldedEntry> {
  const parts: Part[] = [];
  const views: PushedView[] = [];
  const breathe = createBreather();
  for (const view of plan.views) {
    const { codec, folder } = view;
    const boundaries = context.view.get(codec.version);
    let ignored = 0;
    let covered = 0;
    let shelf: PartShelf | undefined;
    let shelfBoundary = NaN;
    const byPart = new Map<Part, ViewEvent[]>();
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as Row;
      const times = plan.timesOf(row, knownMicros[i] as number, entry.writer, entry.offset + i);
      const keyText = times === undefined ? undefined : view.keyTextOf(row);
      if (times === undefined || keyText === undefined) {
        ignored++;
        continue;
      }
      // A version that this cut was opened without gets its facts from a run, as does what the files hold already.
      const boundary = boundaries === undefined ? undefined : boundaryOf(boundaries, times.eventMicros);
      if (boundary === undefined) {
        covered++;
        continue;
      }
      if (shelf === undefined || boundary !== shelfBoundary) {
        shelf = context.table.shelf(codec.view.entity, codec.version, boundary);
        shelfBoundary = boundary;
      }
      const part = shelf.find(keyText) ?? shelf.add(keyText, view.keyOf(row));
      const events = byPart.get(part);
      const event = view.eventOf(row, times);
      if (events === undefined) byPart.set(part, [event]);
      else events.push(event);
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    for (const [part, events] of byPart) {
      context.table.put(part, folder.fold(part.fold, events, context.nowMicros()));
      parts.push(part);
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    views.push({ view: codec.view.name, written: byPart.size, covered, ignored });
  }
  return { parts, views };
}
