// What a run of the model decides: the product's own decision, which it bends only where a rule is left out.

import { NOTHING_COVERED } from '../../src/online/runs/coverage.ts';
import * as runs from '../../src/online/runs/plan-run.ts';
import { markOf, rowsOf, writerState } from './registry.ts';
import { hasAnswered, keeps, type Log, type Row, type World } from './world.ts';

/** `waiting`: writers that the run gave up waiting for. */
export function planModelRun(
  world: World,
  row: Row,
  isFullAsked: boolean,
  waiting: readonly Log[],
): runs.OpenPlan | runs.StopPlan {
  const rows = rowsOf(world, row.version).filter(({ isForgotten }) => !isForgotten);
  const marks = world.nodes.map((node) => ({ node: `${node.index}`, run: markOf(node, row.version) }));
  const situation: runs.RunSituation = {
    mode: world.mode,
    row,
    rows,
    writers: world.logs.map((log) => writerState(world, log)),
    answered: new Set(world.logs.filter((log) => hasAnswered(world, row.number, log)).map(({ number }) => number)),
    marks,
    isFullAsked,
  };
  return world.without.size === 0 ? runs.planRun(situation) : planWithout(world, situation, waiting);
}

function planWithout(world: World, whole: runs.RunSituation, waiting: readonly Log[]): runs.OpenPlan | runs.StopPlan {
  let situation = whole;
  if (!keeps(world, 'B-answered')) {
    situation = { ...situation, answered: new Set(situation.writers.map(({ number }) => number)) };
  }
  if (!keeps(world, 'monotone')) {
    const unseen = new Set(waiting.filter(() => world.random.chance(0.5)).map(({ number }) => number));
    situation = {
      ...situation,
      rows: situation.rows.map((row) => (row.coverage ? { ...row, coverage: NOTHING_COVERED } : row)),
      writers: situation.writers.map((writer) => (unseen.has(writer.number) ? { ...writer, shipped: 0 } : writer)),
    };
  }
  if (!keeps(world, 'since-mark')) {
    const last = situation.rows.findLast(({ number }) => number < situation.row.number);
    if (last?.coverage) situation = { ...situation, marks: [{ node: 'every', run: last.number }] };
  }
  const plan = runs.planRun(situation);
  if (plan.kind === 'stop') return plan;
  if (!keeps(world, 'full-shrunk')) return planFrom(situation, plan, hideGoneFiles(situation));
  if (!keeps(world, 'full-B-back')) return planFrom(situation, plan, hideLaterBoundaries(situation, plan.boundary));
  if (!keeps(world, 'between') && !plan.isFull) {
    return { ...plan, changes: changes(situation, plan, plan.since, plan.since) };
  }
  return plan;
}

/** The plan, had it looked among these rows for what to build on. */
function planFrom(situation: runs.RunSituation, plan: runs.OpenPlan, rows: runs.RunSituation['rows']): runs.OpenPlan {
  const first = runs.findSince({ ...situation, rows }, plan.boundary).since?.[0].number;
  return first === undefined
    ? plan
    : { ...plan, isFull: false, since: first, changes: changes(situation, plan, first) };
}

function changes(situation: runs.RunSituation, plan: runs.OpenPlan, first: number, last = Infinity): runs.RunChanges {
  const since = situation.rows.flatMap(({ number, snapshot, coverage, boundary }) => {
    const isMeant = first <= number && number <= last && number !== situation.row.number;
    return isMeant && snapshot && coverage && boundary !== null ? [{ snapshot, coverage, boundary }] : [];
  });
  return runs.changesSince(since, { ...plan, snapshot: situation.row.snapshot }, situation.writers);
}

function hideGoneFiles({ row, rows }: runs.RunSituation): runs.RunSituation['rows'] {
  const left = new Set(row.snapshot.map(({ path }) => path));
  return rows.map((other) => ({ ...other, snapshot: other.snapshot?.filter(({ path }) => left.has(path)) }));
}

function hideLaterBoundaries({ rows }: runs.RunSituation, boundary: number): runs.RunSituation['rows'] {
  return rows.map((other) => {
    return { ...other, boundary: other.boundary === null ? null : Math.min(other.boundary, boundary) };
  });
}
