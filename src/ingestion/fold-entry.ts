// One entry of the log into the parts of its cut: the same for a push that just came and for a log that is read again.

import type { Micros, Row } from '../core/index.ts';
import type { CutView, LogEntry } from '../events/index.ts';
import { boundaryOf, type ViewEvent } from '../online/index.ts';
import { type Breather, createBreather } from './breathe.ts';
import type { Part, PartShelf, PartTable } from './part-table.ts';
import type { PushedView } from './push-result.ts';
import type { EventTimes, Lens, LiveView, SourcePlan } from './source-plan.ts';

export interface FoldedEntry {
  /** Those that changed. */
  readonly parts: readonly Part[];
  readonly views: readonly PushedView[];
}

/** An entry's rows with their known times. */
export interface LensRows {
  readonly rows: readonly Row[];
  readonly known: readonly Micros[];
}

export interface FoldContext {
  readonly view: CutView;
  readonly table: PartTable;
  readonly nowMicros: () => Micros;
  /** Its parts are found, or made, and none of its events is folded into them. */
  readonly isVoid?: boolean;
}

/** `rowsOf` gives the entry's rows as a lens of the plan has them, complete with its derived columns. */
export async function foldEntry(
  plan: SourcePlan,
  entry: LogEntry,
  rowsOf: (lens: Lens) => LensRows | Promise<LensRows>,
  context: FoldContext,
): Promise<FoldedEntry> {
  const parts: Part[] = [];
  const views: PushedView[] = [];
  for (const lens of plan.lenses) {
    if (lens.views.length === 0) continue;
    const found = rowsOf(lens);
    const rows = found instanceof Promise ? await found : found;
    const breathe = rows.rows.length === 1 ? undefined : createBreather();
    for (const view of lens.views) {
      const told = await foldInto(lens, view, entry, rows, context, parts, breathe);
      if (view.isCurrent) views.push(told);
    }
  }
  return { parts, views };
}

async function foldInto(
  lens: Lens,
  view: LiveView,
  entry: LogEntry,
  { rows, known }: LensRows,
  context: FoldContext,
  parts: Part[],
  breathe: Breather | undefined,
): Promise<PushedView> {
  const { codec, folder } = view;
  const door = createDoor(view, context);
  const byPart = new Map<Part, ViewEvent[]>();
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as Row;
    const times = lens.timesOf(row, known[i] as number, entry.writer, entry.offset + i);
    const part = door.partOf(row, times);
    if (part === undefined || times === undefined) continue;
    const event = view.eventOf(row, times);
    if (event.knownMicros > part.lastKnown) part.lastKnown = event.knownMicros;
    const events = byPart.get(part);
    if (events === undefined) byPart.set(part, [event]);
    else events.push(event);
    const pause = breathe?.();
    if (pause !== undefined) await pause;
  }
  for (const [part, events] of byPart) {
    const counted = context.isVoid === true ? [] : events;
    context.table.put(part, folder.fold(part.fold, counted, context.nowMicros()));
    parts.push(part);
    const pause = breathe?.();
    if (pause !== undefined) await pause;
  }
  return { view: codec.view.name, written: byPart.size, covered: door.covered, ignored: door.ignored };
}

interface Door {
  /** The part that counts the row; undefined where none does. */
  partOf(row: Row, times: EventTimes | undefined): Part | undefined;
  covered: number;
  ignored: number;
}

function createDoor(view: LiveView, { view: boundariesOf, table }: FoldContext): Door {
  const { version, recordsOf } = view.codec;
  const boundaries = boundariesOf.get(version);
  let shelf: PartShelf | undefined;
  let shelfBoundary = NaN;
  const door: Door = {
    covered: 0,
    ignored: 0,
    partOf(row, times) {
      const keyText = times === undefined ? undefined : view.keyTextOf(row);
      if (times === undefined || keyText === undefined) {
        door.ignored++;
        return undefined;
      }
      // A version that this cut was opened without gets its facts from a run, as does what the files hold already.
      const boundary = boundaries === undefined ? undefined : boundaryOf(boundaries, times.eventMicros);
      if (boundary === undefined) {
        door.covered++;
        return undefined;
      }
      if (shelf === undefined || boundary !== shelfBoundary) {
        shelf = table.shelf(recordsOf, version, boundary);
        shelfBoundary = boundary;
      }
      return shelf.find(keyText) ?? shelf.add(keyText, view.keyOf(row));
    },
  };
  return door;
}
