// What the registry says to who asks: rows of a version, marks' rows, boundaries in force, the state of writers.

import { boundariesInForce } from '../../src/online/runs/boundaries.ts';
import { isCovered } from '../../src/online/runs/coverage.ts';
import type { WriterState } from '../../src/online/runs/plan-run.ts';
import { find } from './store.ts';
import { type CutView, keeps, type Log, type Row, type StoreNode, type Version, type World } from './world.ts';

export function rowsOf(world: World, version: Version): readonly Row[] {
  return world.rows.filter((row) => row.version === version);
}

export function lastFinished(world: World, version: Version): Row | undefined {
  return world.rows.findLast((row) => row.version === version && row.state === 'finished');
}

export function rowOf(world: World, run: number | undefined): Row | undefined {
  return run === undefined ? undefined : world.rows[run - 1];
}

/** The number of the run in a node's mark. */
export function markOf(node: StoreNode, version: Version): number | undefined {
  return find(node, { kind: 'mark', version, run: 0 })?.run;
}

/** Its row, unless that is forgotten. */
export function markedRow(world: World, node: StoreNode, version: Version): Row | undefined {
  const row = rowOf(world, markOf(node, version));
  return row?.isForgotten ? undefined : row;
}

/** Versions and boundaries as a cut's mark holds them. */
export function readView(world: World): CutView {
  return new Map(
    world.versions.map((version) => {
      const boundaries = boundariesInForce(rowsOf(world, version));
      return [version, keeps(world, 'B-split') ? boundaries : boundaries.slice(-1)];
    }),
  );
}

export function covers(row: Row, writer: number, cut: number): boolean {
  return row.coverage !== null && isCovered(row.coverage, writer, cut);
}

export function writerState(world: World, log: Log): WriterState {
  const state = log.isForgotten ? 'forgotten' : log.hasEnded ? 'ended' : 'open';
  const isShippedOnly = keeps(world, 'shipped') || log.isLost;
  return {
    number: log.number,
    state,
    cut: log.cut,
    shipped: isShippedOnly ? log.shipped : Math.max(0, ...log.sealed.keys()),
  };
}
