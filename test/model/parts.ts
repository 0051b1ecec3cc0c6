// How a log's entries become parts of records and claims in the store, and how a writer writes them again.

import { boundaryOf } from '../../src/online/runs/coverage.ts';
import { isPastMark } from '../../src/online/runs/marks.ts';
import { lastFinished, markedRow } from './registry.ts';
import { find, put, send } from './store.ts';
import * as w from './world.ts';

export interface PartName {
  readonly key: w.Key;
  readonly version: w.Version;
  readonly cut: number;
  readonly boundary: number;
}

/** The parts that an entry goes to, one for each of its rows and versions; a row that every base has goes to none. */
export function partsOf(log: w.Log, entry: w.Entry): readonly (PartName & { readonly id: number })[] {
  return entry.rows.flatMap(({ id, key, time }) =>
    [...(log.views.get(entry.cut) ?? [])].flatMap(([version, boundaries]) => {
      const boundary = boundaryOf(boundaries, time);
      return boundary === undefined ? [] : [{ id, key, version, cut: entry.cut, boundary }];
    }),
  );
}

/** What a part holds of the decided entries that are not void. */
export function foldOf(log: w.Log, isDecided: (entry: w.Entry) => boolean, part: PartName): w.Ids {
  return log.entries
    .filter((entry) => entry.cut === part.cut && isDecided(entry) && !log.voids.has(entry.offset))
    .flatMap((entry) => partsOf(log, entry))
    .filter(({ key, version, boundary }) => {
      return key === part.key && version === part.version && boundary === part.boundary;
    })
    .map(({ id }) => id);
}

/** Writes a part whole under the log's next number; `added` is what an increment would add. */
export function writePart(
  world: w.World,
  log: w.Log,
  { key, version, cut, boundary }: PartName,
  ids: w.Ids,
  added?: w.Ids,
) {
  log.n += 1;
  const place = { writer: log.number, holder: log.holder, n: log.n };
  const part: w.Part = { kind: 'part', key, version, cut, boundary, ids, ...place };
  return (node: w.StoreNode): void => {
    const stored = find(node, part);
    if (!w.keeps(world, 'whole') && added) put(world, node, { ...part, ids: [...(stored?.ids ?? []), ...added] });
    else if (!stored || isAfter(part, stored) || !w.keeps(world, 'rising')) put(world, node, part);
  };
}

function isAfter(part: w.Part, stored: w.Part): boolean {
  return part.holder === stored.holder ? part.n > stored.n : part.holder > stored.holder;
}

/** Gives the claim that holds the id from now on; without a place it only looks. */
export function claim(world: w.World, id: string, place: w.Place | undefined): w.Operation<w.Claim | undefined> {
  return (node) => {
    const held = find(node, { kind: 'claim', id, place: place ?? { writer: 0, offset: 0 }, isDone: false });
    if (held !== undefined || place === undefined) return held;
    const mine: w.Claim = { kind: 'claim', id, place, isDone: false };
    put(world, node, mine, w.keeps(world, 'wait'));
    return mine;
  };
}

/** Keeps the answer, where this place holds the claim. */
export function finishClaim(world: w.World, id: string, place: w.Place): w.Operation {
  return (node) => {
    const held = find(node, { kind: 'claim', id, place, isDone: false });
    if (held === undefined || held.isDone) return;
    if (held.place.writer !== place.writer || held.place.offset !== place.offset) return;
    put(world, node, { ...held, isDone: true });
  };
}

/** On a new connection, and at a settlement: writes what the node may lack. Throws Lost. */
export function* writeAgain(
  world: w.World,
  writer: w.Writer,
  node: w.StoreNode,
  log: w.Log,
  isDecided: (entry: w.Entry) => boolean,
): w.Steps {
  if (!w.keeps(world, 'refold') && node.generation > 0 && log === writer.log) return;
  for (const part of partsAt(world, log, node, isDecided)) {
    const mark = w.keeps(world, 'refold-mark')
      ? markedRow(world, node, part.version)
      : lastFinished(world, part.version);
    if (!isPastMark(mark, log.number, part.cut)) continue;
    // Folded now, not when the list was made: what was decided meanwhile is in it, for its number is greater.
    yield* send(world, writer, node, writePart(world, log, part, foldOf(log, isDecided, part)));
  }
  if (node === w.claimsNode(world)) yield* finishAgain(world, writer, log);
  log.refoldedAt.set(node, node.generation);
}

function partsAt(
  world: w.World,
  log: w.Log,
  node: w.StoreNode,
  isDecided: (entry: w.Entry) => boolean,
): Iterable<PartName> {
  const found = new Map<string, PartName>();
  for (const entry of log.entries) {
    if (!isDecided(entry) || log.voids.has(entry.offset)) continue;
    for (const part of partsOf(log, entry)) {
      if (w.nodeOf(world, part.key) !== node) continue;
      found.set(`${part.key} ${part.version} ${part.cut} ${part.boundary}`, part);
    }
  }
  return found.values();
}

/** An answer may be lost too. */
function* finishAgain(world: w.World, writer: w.Writer, log: w.Log): w.Steps {
  for (const { key, offset } of log.entries) {
    if (key === undefined || log.voids.has(offset)) continue;
    const isAnswered = log === writer.log ? writer.done.has(offset) : writer.written.has(log);
    if (!isAnswered) continue;
    yield* send(world, writer, w.claimsNode(world), finishClaim(world, key, { writer: log.number, offset }));
  }
}
