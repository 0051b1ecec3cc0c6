// One request's rows through a graph. A node runs for the rows that something asks of it: the node that answers for all,
// what it takes from for the same, a router's case for those that were sent there. What can run side by side does.

import { HeadraceError, type Scope, type Span, toHeadraceError, type Value } from '../../core/index.ts';
import type { NodeTiming } from '../model-work.ts';
import type {
  GraphPlan,
  PlannedEnsemble,
  PlannedInput,
  PlannedModel,
  PlannedNode,
  PlannedRouter,
} from './graph-plan.ts';
import type { GraphQueue } from './graph-queue.ts';
import type { NodeMeter } from './node-meter.ts';
import { NodeWork } from './node-work.ts';

/** What a node gave for a row: its outputs, or why it has none. */
export type NodeAnswer = readonly Value[] | HeadraceError;

export interface GraphRunOptions {
  readonly plan: GraphPlan;
  readonly meters: readonly NodeMeter[];
  readonly queue: GraphQueue;
  /** Feature values, in the order of the graph's service. */
  readonly rows: readonly (readonly Value[])[];
  readonly scope: Scope;
  /** Told of each run of a node; left out where nobody asks. */
  readonly timed?: ((timing: NodeTiming) => void) | undefined;
  /** As `CompileGraph` has it. */
  readonly mostRunsAgain?: number | undefined;
}

/** Undefined: it is done already. */
type Pending = Promise<void> | undefined;

/** The answers of the node that answers, in the rows' order. Never rejects; a promise only where a model does not answer at once. */
export function runGraph(options: GraphRunOptions): readonly NodeAnswer[] | Promise<readonly NodeAnswer[]> {
  const run = new GraphRun(options);
  const { output } = options.plan;
  const pending = run.needAll(output);
  const answers = (): readonly NodeAnswer[] => run.answersOf(output);
  return pending === undefined ? answers() : pending.then(answers);
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

/** The moment of the last thing that ended: what begins after it begins then, and needs no look at the clock. */
interface RunClock {
  nowMs: number;
}

class GraphRun {
  readonly #given: GraphRunOptions;
  readonly #states: NodeState[];
  /** Places of all rows: the one list that means that. */
  readonly #all: readonly number[];
  readonly #clock: RunClock = { nowMs: performance.now() };

  constructor(given: GraphRunOptions) {
    const { plan, rows } = given;
    this.#given = given;
    this.#all = rows.length === 1 ? ONE_ROW : rows.map((_, row) => row);
    this.#states = [];
    for (let place = 0; place < plan.nodes.length; place++)
      this.#states.push({ answers: [], isWhole: false, asked: undefined, pending: undefined });
  }

  needAll(place: number): Pending {
    return this.#need(place, this.#all);
  }

  /** All rows of a node that was needed for all. */
  answersOf(place: number): readonly NodeAnswer[] {
    return this.#state(place).answers as NodeAnswer[];
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
    let pending: Pending;
    for (let i = 0; i < before.length; i++) pending = joined(pending, this.#need(before[i] as number, rows));
    return pending === undefined ? this.#run(node, rows) : pending.then(() => this.#run(node, rows));
  }

  /** What it takes from has answered. */
  #run(node: PlannedNode, rows: readonly number[]): Pending {
    const tally = new NodeTally(node, rows.length, this.#given, this.#clock);
    switch (node.kind) {
      case 'model':
        return this.#runModel(node, rows, tally);
      case 'function':
        for (const row of rows) this.#put(node, row, this.#call(node, row, node.run, tally), tally);
        return tally.end();
      case 'ensemble':
        for (const row of rows) this.#put(node, row, this.#combine(node, row, tally), tally);
        return tally.end();
      case 'router':
        return this.#route(node, rows, tally);
    }
  }

  #runModel(node: PlannedModel, rows: readonly number[], tally: NodeTally): Pending {
    const given: (readonly Value[])[] = [];
    // Until the first failure places are those of the rows themselves.
    let places = rows as number[];
    for (const row of rows) {
      const values = this.#valuesFor(node, row);
      const error = values instanceof HeadraceError ? values : tally.own(node.binding.check(values));
      if (error !== undefined) {
        if (places === rows) places = rows.slice(0, given.length);
        this.#put(node, row, error, tally);
        continue;
      }
      if (places !== rows) places.push(row);
      given.push(values as readonly Value[]);
    }
    if (given.length === 0) return tally.end();
    let isOver = false;
    let ended = (): void => void (isOver = true);
    this.#submit(node, given, places, tally, () => ended());
    return isOver ? undefined : new Promise((resolve) => (ended = resolve));
  }

  /** `ended` is called once all of them are told of, or the node's time is over. */
  #submit(
    node: PlannedModel,
    given: readonly (readonly Value[])[],
    places: readonly number[],
    tally: NodeTally,
    ended: () => void,
  ): void {
    const { scope, queue, mostRunsAgain } = this.#given;
    const { timeoutMs } = node;
    const untilMs = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    const isOwn = untilMs < scope.deadlineMs;
    const within = isOwn ? scope.child({ deadlineMs: untilMs }) : scope;
    let isOver = false;
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      if (timer !== undefined) clearTimeout(timer);
      tally.end();
      ended();
    };
    const tell = (index: number, answer: NodeAnswer): void => {
      if (isOver) return;
      const row = places[index] as number;
      if (!(answer instanceof HeadraceError)) this.#put(node, row, pick(node, answer), tally);
      else this.#put(node, row, tally.own(isOwn ? asTimeout(answer, timeoutMs) : answer), tally);
    };
    if (isOwn && timeoutMs !== undefined) timer = setTimeout(() => this.#giveUp(node, places, tally, end), timeoutMs);
    const spare = mostRunsAgain === undefined ? undefined : { runs: mostRunsAgain };
    node.loaded.submit(new NodeWork(node, queue, within, given, 0, tell, end, spare));
  }

  /** A run can't be stopped: who waits for it goes on without it. */
  #giveUp(node: PlannedModel, places: readonly number[], tally: NodeTally, end: () => void): void {
    const error = new HeadraceError('HR_DEADLINE', tooSlow(node.timeoutMs));
    const { answers } = this.#state(node.place);
    for (const row of places) if (answers[row] === undefined) this.#put(node, row, tally.own(error), tally);
    end();
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
      if (choice instanceof HeadraceError) this.#put(node, row, choice, tally);
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
      const copy = (): void => {
        for (const row of asked) this.#put(node, row, this.#answer(place, row), tally);
      };
      const answered = this.#need(place, asked);
      if (answered === undefined) copy();
      else pending = joined(pending, answered.then(copy));
    }
    return pending === undefined ? tally.end(tookMs) : pending.then(() => tally.end(tookMs));
  }

  #answer(place: number, row: number): NodeAnswer {
    return this.#state(place).answers[row] as NodeAnswer;
  }

  #put(node: PlannedNode, row: number, answer: NodeAnswer, tally: NodeTally): void {
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

/** Counts one run of a node. */
class NodeTally {
  answered = 0;
  failures = 0;
  standIns = 0;
  readonly #node: PlannedNode;
  readonly #asked: number;
  readonly #given: GraphRunOptions;
  readonly #span: Span | undefined;
  readonly #clock: RunClock;
  readonly #startMs: number;
  // Rows that ran together fail together, by one error.
  #failed: HeadraceError | undefined;
  #named: HeadraceError | undefined;

  constructor(node: PlannedNode, asked: number, given: GraphRunOptions, clock: RunClock) {
    this.#clock = clock;
    this.#startMs = clock.nowMs;
    this.#node = node;
    this.#asked = asked;
    this.#given = given;
    this.#span = given.scope.span?.child('graph.node');
  }

  /** An error of the node's own, as it names the node. */
  own<E extends HeadraceError | undefined>(error: E): E {
    if (error === undefined) return error;
    this.failures++;
    if (error !== this.#failed) [this.#failed, this.#named] = [error, naming(this.#node, error)];
    // Undefined was given back above.
    return this.#named as E;
  }

  tookMs(): number {
    return (this.#clock.nowMs = performance.now()) - this.#startMs;
  }

  end(tookMs = this.tookMs()): undefined {
    const { answered: rows, failures, standIns } = this;
    const { place, name: node } = this.#node;
    const { meters, timed } = this.#given;
    meters[place]?.ran(rows, failures, tookMs);
    const version = this.#node.kind === 'model' ? this.#node.version : null;
    timed?.({ node, version, rows, failures, standIns, tookMs });
    if (this.#span !== undefined) this.#tellSpan(this.#span, version);
    return undefined;
  }

  #tellSpan(span: Span, version: number | null): void {
    span.set('headrace.node', this.#node.name);
    if (version !== null) span.set('headrace.version', version);
    span.set('headrace.rows', this.#asked);
    span.set('headrace.failures', this.failures);
    span.end(this.#named);
  }
}

function joined(one: Pending, other: Pending): Pending {
  if (one === undefined || other === undefined) return one ?? other;
  if (one === other) return one;
  // Neither rejects, so that what `Promise.all` does beyond counting is not needed.
  return new Promise((resolve) => {
    let left = 2;
    const end = (): void => {
      if (--left === 0) resolve();
    };
    void one.then(end);
    void other.then(end);
  });
}

function pick({ picks }: PlannedModel, outputs: readonly Value[]): readonly Value[] {
  return picks === undefined ? outputs : picks.map((at) => outputs[at] ?? null);
}

function naming({ name }: PlannedNode, { code, message, details, cause }: HeadraceError): HeadraceError {
  return new HeadraceError(code, `node "${name}": ${message}`, { details, cause });
}

function tooSlow(timeoutMs: number | undefined): string {
  return `it did not answer within its ${timeoutMs} ms. Raise its timeoutMs, or declare what happens then by its onFailure.`;
}

// The queue speaks of the deadline that it was given, which here is the node's.
function asTimeout(error: HeadraceError, timeoutMs: number | undefined): HeadraceError {
  return error.code === 'HR_DEADLINE' ? new HeadraceError('HR_DEADLINE', tooSlow(timeoutMs)) : error;
}
