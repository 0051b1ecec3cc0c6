// One request's rows through a graph. A node runs for the rows that something asks of it: the node that answers for all,
// what it takes from for the same, a router's case for those that were sent there. What can run side by side does.

import { HeadraceError, toHeadraceError, type Value } from '../../core/index.ts';
import { after, Ending, joined, type Pending } from './ending.ts';
import type {
  GraphPlan,
  PlannedEnsemble,
  PlannedInput,
  PlannedModel,
  PlannedNode,
  PlannedRouter,
} from './graph-plan.ts';
import type { GraphQueue } from './graph-queue.ts';
import { NodeTally, type RunClock, type TallyOptions } from './node-tally.ts';
import { type AsksNode, NodeWork } from './node-work.ts';

/** What a node gave for a row: its outputs, or why it has none. */
export type NodeAnswer = readonly Value[] | HeadraceError;

export interface GraphRunOptions extends TallyOptions {
  readonly plan: GraphPlan;
  readonly queue: GraphQueue;
  /** Feature values, in the order of the graph's service. */
  readonly rows: readonly (readonly Value[])[];
  /** By the process' own clock. */
  readonly startMs: number;
  /** As `CompileGraph` has it. */
  readonly mostRunsAgain?: number | undefined;
}

/** Gives the answers of the node that answers, in the rows' order, and when it did: before this returns, or when its models have. */
export function runGraph(
  options: GraphRunOptions,
  done: (answers: readonly NodeAnswer[], endMs: number) => void,
): void {
  const run = new GraphRun(options);
  const { output } = options.plan;
  const pending = run.needAll(output);
  const ended = (): void => done(run.answersOf(output), run.nowMs);
  if (pending === undefined) ended();
  else pending.whenOver({ ended });
}

/** What is known of a node in one run. */
interface NodeState {
  /** By row; undefined while it is not known. */
  readonly answers: (NodeAnswer | undefined)[];
  /** All rows were asked for at once, which is how most nodes are asked. */
  isWhole: boolean;
  /** By row, where only some were: it was asked for. */
  asked: Uint8Array | undefined;
  /** Until all that was asked for so far is answered. */
  pending: Pending;
}

class GraphRun {
  readonly #given: GraphRunOptions;
  readonly #states: NodeState[];
  /** Places of all rows: the one list that means that. */
  readonly #all: readonly number[];
  readonly #clock: RunClock;

  constructor(given: GraphRunOptions) {
    const { plan, rows } = given;
    this.#given = given;
    this.#clock = { nowMs: given.startMs };
    this.#all = rows.length === 1 ? ONE_ROW : rows.map((_, row) => row);
    // At their sizes from the beginning: a list that grows makes room for many more than a request's row.
    this.#states = new Array<NodeState>(plan.nodes.length);
    for (let place = 0; place < plan.nodes.length; place++) {
      const answers = new Array<NodeAnswer | undefined>(rows.length);
      this.#states[place] = { answers, isWhole: false, asked: undefined, pending: undefined };
    }
  }

  needAll(place: number): Pending {
    return this.#need(place, this.#all);
  }

  /** All rows of a node that was needed for all. */
  answersOf(place: number): readonly NodeAnswer[] {
    return this.#state(place).answers as NodeAnswer[];
  }

  /** When the last of its nodes ended. */
  get nowMs(): number {
    return this.#clock.nowMs;
  }

  /** Has the node answer the rows, as far as nobody has asked it for them yet. */
  #need(place: number, rows: readonly number[]): Pending {
    const state = this.#state(place);
    if (state.isWhole) return state.pending;
    if (rows === this.#all && state.asked === undefined) {
      state.isWhole = true;
      return (state.pending = this.#start(place, rows));
    }
    const asked = (state.asked ??= new Uint8Array(this.#all.length));
    const fresh = rows.filter((row) => asked[row] === 0);
    for (const row of fresh) asked[row] = 1;
    if (fresh.length > 0) state.pending = joined(state.pending, this.#start(place, fresh));
    return state.pending;
  }

  #start(place: number, rows: readonly number[]): Pending {
    const node = this.#given.plan.nodes[place] as PlannedNode;
    const { before } = node;
    let ready: Pending;
    for (let i = 0; i < before.length; i++) {
      const pending = this.#need(before[i] as number, rows);
      // It waits for the end of this loop, too.
      if (pending !== undefined) (ready ??= new Ending(1, () => this.#run(node, rows))).waitFor(pending);
    }
    if (ready === undefined) return this.#run(node, rows);
    ready.ended();
    return ready;
  }

  /** What it takes from has answered. */
  #run(node: PlannedNode, rows: readonly number[]): Pending {
    const tally = new NodeTally(node, rows.length, this.#given, this.#clock);
    switch (node.kind) {
      case 'model':
        return this.#runModel(node, rows, tally);
      case 'function':
        for (const row of rows) this.put(node, row, this.#call(node, row, node.run, tally), tally);
        return tally.end();
      case 'ensemble':
        for (const row of rows) this.put(node, row, this.#combine(node, row, tally), tally);
        return tally.end();
      case 'router':
        return this.#route(node, rows, tally);
    }
  }

  #runModel(node: PlannedModel, rows: readonly number[], tally: NodeTally): Pending {
    const given = new Array<readonly Value[]>(rows.length);
    let count = 0;
    // Until the first failure places are those of the rows themselves.
    let places = rows as number[];
    for (const row of rows) {
      const values = this.#valuesFor(node, row);
      const error = values instanceof HeadraceError ? values : tally.own(node.binding.check(values));
      if (error !== undefined) {
        if (places === rows) places = rows.slice(0, count);
        this.put(node, row, error, tally);
        continue;
      }
      if (places !== rows) places.push(row);
      given[count++] = values as readonly Value[];
    }
    if (count === 0) return tally.end();
    given.length = count;
    const asked = this.#submit(node, given, places, tally);
    return asked.isOver ? undefined : asked;
  }

  #submit(
    node: PlannedModel,
    given: readonly (readonly Value[])[],
    places: readonly number[],
    tally: NodeTally,
  ): AskedModel {
    const { scope, queue, mostRunsAgain } = this.#given;
    const { timeoutMs } = node;
    const untilMs = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    const ownMs = untilMs < scope.deadlineMs ? timeoutMs : undefined;
    const within = ownMs === undefined ? scope : scope.child({ deadlineMs: untilMs });
    const asked = new AskedModel(this, node, places, tally, ownMs);
    const spare = mostRunsAgain === undefined ? undefined : { runs: mostRunsAgain };
    node.loaded.submit(new NodeWork(node, queue, within, given, 0, asked, spare));
    return asked;
  }

  #valuesFor({ sources, others }: PlannedModel, row: number): NodeAnswer {
    const features = this.#given.rows[row] as readonly Value[];
    if (others !== undefined && others.length === 0) return features;
    const values = others === undefined ? new Array<Value>(sources.length) : features.slice();
    const count = others === undefined ? sources.length : others.length;
    for (let i = 0; i < count; i++) {
      const place = others === undefined ? i : (others[i] as number);
      const { node, at } = sources[place] as PlannedModel['sources'][number];
      const from = node === undefined ? features : this.#answer(node, row);
      if (from instanceof HeadraceError) return from;
      values[place] = from[at] ?? null;
    }
    return values;
  }

  /** What a function gives for a row, or why it gives nothing. */
  #call<R>(
    node: { readonly inputs: readonly PlannedInput[] },
    row: number,
    run: (inputs: Readonly<Record<string, readonly Value[]>>) => R,
    tally: NodeTally,
  ): R | HeadraceError {
    const features = this.#given.rows[row] as readonly Value[];
    const given: Record<string, readonly Value[]> = {};
    for (const input of node.inputs) {
      const from =
        input.node === undefined ? input.features.map((at) => features[at] ?? null) : this.#answer(input.node, row);
      if (from instanceof HeadraceError) return from;
      given[input.name] = from;
    }
    try {
      return run(given);
    } catch (thrown) {
      tally.failures++;
      // It names its node.
      return toHeadraceError(thrown);
    }
  }

  #combine(node: PlannedEnsemble, row: number, tally: NodeTally): NodeAnswer {
    const given: (readonly Value[])[] = [];
    const members: number[] = [];
    let skipped: HeadraceError | undefined;
    for (let i = 0; i < node.before.length; i++) {
      const place = node.before[i] as number;
      const answer = this.#answer(place, row);
      if (!(answer instanceof HeadraceError)) {
        given.push(answer);
        members.push(i);
      } else if ((this.#given.plan.nodes[place] as PlannedNode).isSkipped) skipped ??= answer;
      else return answer;
    }
    if (given.length >= node.minimum) return node.combine(given, members);
    tally.failures++;
    const why = `node "${node.name}": ${given.length} of its ${node.before.length} members answered, it takes ${node.minimum}`;
    // Fewer than all have answered, so one was skipped, and the minimum is 1 at least.
    return new HeadraceError(skipped?.code ?? 'HR_INFERENCE_FAILED', `${why}: ${skipped?.message ?? ''}`, {
      cause: skipped,
    });
  }

  /** Rows of each case together, so that they run as one batch. */
  #route(node: PlannedRouter, rows: readonly number[], tally: NodeTally): Pending {
    const chosen = new Map<number, number[]>();
    for (const row of rows) {
      const choice = this.#call(node, row, node.choose, tally);
      if (choice instanceof HeadraceError) this.put(node, row, choice, tally);
      else {
        const place = node.cases[choice] as number;
        const own = chosen.get(place);
        if (own === undefined) chosen.set(place, [row]);
        else own.push(row);
      }
    }
    // Its own time is that of choosing.
    const tookMs = tally.tookMs();
    let pending: Pending;
    for (const [place, own] of chosen) {
      // The same list where all rows of a request go one way.
      const asked = own.length === rows.length ? rows : own;
      const copy = (): undefined => {
        for (const row of asked) this.put(node, row, this.#answer(place, row), tally);
      };
      const answered = this.#need(place, asked);
      if (answered === undefined) copy();
      else pending = joined(pending, after(answered, copy));
    }
    return pending === undefined ? tally.end(tookMs) : after(pending, () => tally.end(tookMs));
  }

  /** Undefined where it is not known yet. */
  answerOf(place: number, row: number): NodeAnswer | undefined {
    return this.#state(place).answers[row];
  }

  #answer(place: number, row: number): NodeAnswer {
    return this.answerOf(place, row) as NodeAnswer;
  }

  put(node: PlannedNode, row: number, answer: NodeAnswer, tally: NodeTally): void {
    const { answers } = this.#state(node.place);
    if (!(answer instanceof HeadraceError)) {
      tally.answered++;
      answers[row] = answer;
    } else if (node.standIns !== undefined) {
      tally.standIns++;
      answers[row] = node.standIns;
    } else answers[row] = answer;
  }

  #state(place: number): NodeState {
    return this.#states[place] as NodeState;
  }
}

const ONE_ROW: readonly number[] = [0];

/** Rows that a node's model was asked for. It ends once all of them are told of, or the node's time is over. */
class AskedModel extends Ending implements AsksNode {
  readonly #run: GraphRun;
  readonly #node: PlannedModel;
  readonly #places: readonly number[];
  readonly #tally: NodeTally;
  /** The node's own time, where that ends before the request's. */
  readonly #ownMs: number | undefined;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(
    run: GraphRun,
    node: PlannedModel,
    places: readonly number[],
    tally: NodeTally,
    ownMs: number | undefined,
  ) {
    super(1);
    this.#run = run;
    this.#node = node;
    this.#places = places;
    this.#tally = tally;
    this.#ownMs = ownMs;
    this.#timer = ownMs === undefined ? undefined : setTimeout(() => this.#giveUp(ownMs), ownMs);
  }

  tell(index: number, answer: NodeAnswer): void {
    if (this.isOver) return;
    const row = this.#places[index] as number;
    const own =
      answer instanceof HeadraceError ? this.#tally.own(asTimeout(answer, this.#ownMs)) : pick(this.#node, answer);
    this.#run.put(this.#node, row, own, this.#tally);
  }

  end(endMs?: number): void {
    if (this.isOver) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#tally.end(this.#tally.tookMs(endMs));
    this.ended();
  }

  /** A run can't be stopped: who waits for it goes on without it. */
  #giveUp(ownMs: number): void {
    const error = new HeadraceError('HR_DEADLINE', tooSlow(ownMs));
    for (const row of this.#places)
      if (this.#run.answerOf(this.#node.place, row) === undefined)
        this.#run.put(this.#node, row, this.#tally.own(error), this.#tally);
    this.end();
  }
}

function pick({ picks }: PlannedModel, outputs: readonly Value[]): readonly Value[] {
  return picks === undefined ? outputs : picks.map((at) => outputs[at] ?? null);
}

function tooSlow(timeoutMs: number): string {
  return `it did not answer within its ${timeoutMs} ms. Raise its timeoutMs, or declare what happens then by its onFailure.`;
}

// The queue speaks of the deadline that it was given, which is the node's where that comes first.
function asTimeout(error: HeadraceError, ownMs: number | undefined): HeadraceError {
  return ownMs !== undefined && error.code === 'HR_DEADLINE' ? new HeadraceError('HR_DEADLINE', tooSlow(ownMs)) : error;
}
