// A graph as a loaded model: whoever submits rows to a model submits them to a graph alike. Its "tensors" are the rows
// themselves, since a graph's own edges are values: the binding that puts them in and takes answers out comes with it.

import { type ErrorCode, HeadraceError, type Value } from '../../core/index.ts';
import type { Binding } from '../binding/compile-binding.ts';
import type { LoadedModel, ModelStatistics, RefusalReason } from '../model-runtime.ts';
import type { BatchInput, ModelCost, ModelWork } from '../model-work.ts';
import type { Tensor, TensorData } from '../tensor.ts';
import type { GraphPlan, PlannedModel, PlannedNode } from './graph-plan.ts';
import type { GraphQueue } from './graph-queue.ts';
import { type NodeAnswer, runGraph } from './graph-run.ts';
import { createNodeMeter, type NodeCounts } from './node-meter.ts';

export interface GraphModel {
  readonly loaded: LoadedModel;
  readonly binding: Binding;
  /** In the graph's order. */
  nodeCounts(): readonly NodeCounts[];
}

/** Its nodes' models are whoever's that loaded them: closing the graph closes none. `mostRunsAgain` as `CompileGraph` has it. */
export function createGraphModel(plan: GraphPlan, mostRunsAgain?: number): GraphModel {
  const meters = plan.nodes.map((node) => createNodeMeter(node.name, node.kind === 'model' ? node.version : null));
  const models = plan.nodes.filter((node) => node.kind === 'model');
  const refused: Record<RefusalReason, number> = { full: 0, hopeless: 0, deadline: 0, cancelled: 0, closed: 0 };
  const queue: GraphQueue = { rows: 0, waitMs: 0, waitedRows: 0 };
  let [runs, rows, failures, runningRows, busyMs] = [0, 0, 0, 0, 0];
  let isClosed = false;
  let whenIdle: (() => void) | undefined;

  const tell = (work: ModelWork, answers: readonly NodeAnswer[], startMs: number, endMs: number): void => {
    runs++;
    busyMs += endMs - startMs;
    runningRows -= work.count;
    for (const answer of answers) {
      if (!(answer instanceof HeadraceError)) {
        rows++;
        continue;
      }
      const reason = REFUSALS[answer.code];
      if (reason === undefined) failures++;
      else refused[reason]++;
    }
    // Only the binding below reads it.
    work.done([{ type: 'string', shape: [work.count], data: answers as unknown as TensorData }], 0, endMs);
    if (runningRows === 0) whenIdle?.();
  };

  const loaded: LoadedModel = {
    signature: { inputs: [], outputs: [] },
    get cost() {
      return costOf(models);
    },
    placement: 'inline',
    nodesByProvider: undefined,
    memoryBytes: 0,
    submit(work) {
      if (isClosed) {
        refused.closed += Math.max(0, work.count);
        return work.failed(
          new HeadraceError('HR_MODEL_NOT_READY', 'this model version was unloaded. Repeat the request.'),
        );
      }
      if (!(work.count > 0)) return work.failed(new HeadraceError('HR_INVALID', 'there are no rows to predict for.'));
      const startMs = performance.now();
      const given = new Array<readonly Value[]>(work.count);
      const batch: readonly BatchInput[] = [{ data: given as unknown as TensorData, width: 1 }];
      for (let index = 0; index < work.count; index++) work.bind(index, batch, index);
      runningRows += work.count;
      const { scope, timed } = work;
      runGraph({ plan, meters, queue, rows: given, scope, timed, startMs, mostRunsAgain }, (answers, endMs) =>
        tell(work, answers, startMs, endMs),
      );
    },
    infer: () =>
      Promise.reject(
        new HeadraceError('HR_UNSUPPORTED', 'this model is made of others, and takes rows of features, not tensors.'),
      ),
    statistics: (): ModelStatistics => ({
      queuedRows: queue.rows,
      waitMicros: Math.round(queue.waitMs * 1000),
      waitedRows: queue.waitedRows,
      // Those that wait for a node's model among them.
      runningRows,
      runs,
      rows,
      failures,
      refused: { ...refused },
      threadsReplaced: 0,
      busyMicros: Math.round(busyMs * 1000),
    }),
    async close() {
      isClosed = true;
      if (runningRows > 0) await new Promise<void>((resolve) => (whenIdle = resolve));
    },
  };
  return { loaded, binding: graphBinding(plan), nodeCounts: () => meters.map((meter) => meter.counts()) };
}

/** By these its nodes' models refuse a row that no run failed; a full queue and one that is too long for the deadline are one code. */
const REFUSALS: Readonly<Partial<Record<ErrorCode, RefusalReason>>> = {
  HR_OVERLOADED: 'full',
  HR_DEADLINE: 'deadline',
  HR_CANCELLED: 'cancelled',
  HR_MODEL_NOT_READY: 'closed',
};

/** As if its models ran one after the other, each for every row. */
function costOf(models: readonly PlannedModel[]): ModelCost {
  const costs = models.map(({ loaded }) => loaded.cost);
  const sum = (part: keyof ModelCost): number => costs.reduce((all, cost) => all + cost[part], 0);
  return { fixedMicros: sum('fixedMicros'), rowMicros: sum('rowMicros'), loadMicros: sum('loadMicros') };
}

function graphBinding(plan: GraphPlan): Binding {
  const { outputs } = plan;
  const checked = unconditional(plan).filter((node) => node.before.length === 0);
  const shown = plan.nodes.filter((node) => node.kind === 'model');
  return {
    // What keeps a row from a model that no policy stands for is told before anything runs, as a model alone tells it.
    check(values, isUnknown) {
      for (const node of checked) {
        const own = isUnknown === undefined ? undefined : (at: number) => isUnknown(node.sources[at]?.at ?? at);
        const error = node.binding.check(valuesOf(node, values), own);
        if (error !== undefined) return error;
      }
      return undefined;
    },
    bindRow(values, batch, place) {
      ((batch[0] as BatchInput).data as unknown as (readonly Value[])[])[place] = values;
    },
    readRow(tensors, place) {
      const answer = ((tensors[0] as Tensor).data as unknown as readonly NodeAnswer[])[place] as NodeAnswer;
      if (answer instanceof HeadraceError) throw answer;
      return outputs === undefined ? [...answer] : outputs.map((at) => answer[at] ?? null);
    },
    /** As the first of its models that takes a feature as it comes was given it. */
    shown(values) {
      let changed: Value[] | undefined;
      for (const node of shown) {
        const own = valuesOf(node, values);
        const given = node.binding.shown(own);
        if (given === own) continue;
        node.sources.forEach((source, at) => {
          if (source.node !== undefined || given[at] === own[at]) return;
          changed ??= [...values];
          if (changed[source.at] === null) changed[source.at] = given[at] as Value;
        });
      }
      return changed ?? values;
    },
    // Functions may answer by more, and what stands in for a node that failed once is no answer to keep.
    compileKey: undefined,
    rowShapes: undefined,
  };
}

/** What a model takes of a row's features; null for what another node gives it. */
function valuesOf({ sources, others }: PlannedModel, values: readonly Value[]): readonly Value[] {
  if (others !== undefined && others.length === 0) return values;
  return sources.map(({ node, at }) => (node === undefined ? (values[at] ?? null) : null));
}

/** Models that run for every row, and whose failure is the row's. */
function unconditional({ nodes, output }: GraphPlan): readonly PlannedModel[] {
  const found = new Set<PlannedNode>();
  const visit = (place: number): void => {
    const node = nodes[place] as PlannedNode;
    if (node.standIns !== undefined || node.isSkipped || found.has(node)) return;
    found.add(node);
    for (const before of node.before) visit(before);
  };
  visit(output);
  return [...found].filter((node) => node.kind === 'model');
}
