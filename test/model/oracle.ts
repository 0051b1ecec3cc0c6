// The oracle: after every change, each read is held against the events that were acknowledged and the rows in the files.
// It is strict where the protocol promises something, and says nothing of what a failover has just taken.

import { isBeside } from '../../src/online/runs/coverage.ts';
import { covers, lastFinished, markedRow, rowOf, rowsOf } from './registry.ts';
import { find } from './store.ts';
import * as w from './world.ts';

/** How often each event is counted; `invalid` where the base's row is not there. */
export type Counted = ReadonlyMap<number, number> | 'invalid';

/** What a reader makes of a record. */
export function read(world: w.World, key: w.Key, version: w.Version): Counted {
  const node = w.nodeOf(world, key);
  const base = find(node, { kind: 'base', key, version, run: 0, ids: [] });
  let row = rowOf(world, base?.run);
  if (row?.isForgotten) return 'invalid';
  const isReadByLast = !w.keeps(world, 'own-run') || (row?.isUnwritten && row.state !== 'finished');
  if (row !== undefined && isReadByLast) row = lastFinished(world, version);
  const ids = [...(base?.ids ?? [])];
  for (const part of node.fields.values()) {
    if (part.kind !== 'part' || part.key !== key || part.version !== version) continue;
    if (row === undefined || isMerged(world, row, part)) ids.push(...part.ids);
  }
  const counted = new Map<number, number>();
  for (const id of ids) counted.set(id, (counted.get(id) ?? 0) + 1);
  return counted;
}

function isMerged(world: w.World, row: w.Row, part: w.Part): boolean {
  const { coverage, boundary } = row;
  if (coverage === null || boundary === null) throw new Error(`run ${row.number} wrote a base before its row`);
  // Parts that are not split are merged wherever their boundary lies.
  const place = w.keeps(world, 'B-split') ? part : { ...part, boundary: Infinity };
  return isBeside({ coverage, boundary }, place);
}

/** Throws Denied. */
export function check(world: w.World): void {
  for (const version of world.complete) {
    const finished = lastFinished(world, version);
    const opened = rowsOf(world, version).filter(({ boundary }) => boundary !== null);
    const since = finished === undefined ? [] : opened.filter(({ number }) => number >= finished.number);
    for (const key of w.KEYS) {
      const node = w.nodeOf(world, key);
      const about: Reading = {
        version,
        node,
        since,
        isWhole: finished === undefined || finished.markedAt.get(node) === node.generation,
        furthest: opened.reduce((most, { boundary }) => Math.max(most, boundary ?? -Infinity), -Infinity),
      };
      const counted = read(world, key, version);
      if (counted === 'invalid') {
        if (about.isWhole) throw new w.Denied(`${version} ${key}: the row of its run is gone`);
        continue;
      }
      for (const event of world.events) {
        if (event.key === key) checkEvent(world, event, counted.get(event.id) ?? 0, about);
      }
    }
  }
}

interface Reading {
  readonly version: w.Version;
  readonly node: w.StoreNode;
  /** Opened rows from the last finished one on: any of them may have written the base. */
  readonly since: readonly w.Row[];
  /** The node did not fail over since the last finished run. */
  readonly isWhole: boolean;
  /** The greatest boundary that any run had. */
  readonly furthest: number;
}

function checkEvent(world: w.World, event: w.Event, times: number, about: Reading): void {
  const { version, since, isWhole, furthest } = about;
  const deny = (what: string): never => {
    throw new w.Denied(`${version} ${event.key}: event ${event.id} ${what}`);
  };
  const isPushed = event.places.length > 0;
  if (times > 1) deny(`counted ${times} times`);
  if (times === 1) {
    event.seenIn.add(version);
    const hasLeft = isWhole && since.length > 0 && !isPushed && since.every(({ files }) => !files.has(event.id));
    if (hasLeft) deny('has left the files and counts');
    return;
  }
  const mustStay = isPushed && event.seenIn.has(version) && furthest < event.time;
  if (event.isAcknowledged || mustStay) {
    if (isPromised(world, event, about)) deny(event.isAcknowledged ? 'acknowledged and lost' : 'seen, then gone');
    return;
  }
  const isInFiles = ({ files, boundary }: w.Row) => {
    return files.has(event.id) && (world.mode === 'keep' || event.time <= (boundary ?? -Infinity));
  };
  if (isWhole && since.length > 0 && since.every(isInFiles)) deny('is in the files and not counted');
}

/** Whether a read must count the event now, wherever it lies. */
function isPromised(world: w.World, event: w.Event, { version, node, isWhole }: Reading): boolean {
  if (world.mode === 'until-materialized' && !isWhole) return false;
  const mark = markedRow(world, node, version);
  return event.places.every(({ log, entry }) => {
    if (log.voids.has(entry.offset)) return true;
    const isFolded = log.views.get(entry.cut)?.has(version) ?? false;
    const isWrittenAgain =
      (world.isAtRest && log.machine !== world.lostMachine) || log.refoldedAt.get(node) === node.generation;
    if (log.isLost && entry.cut > log.shipped) {
      const isGivenUp = world.mode === 'until-materialized' && log.isForgotten;
      if (isGivenUp || !isWrittenAgain || !isFolded || !event.isAcknowledged) return false;
    }
    if (!isFolded && !isWhole) return false;
    return isWrittenAgain || (mark !== undefined && covers(mark, log.number, entry.cut));
  });
}
