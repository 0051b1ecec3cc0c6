// One request's rows through a graph. A node runs for the rows that something asks of it: the node that answers for all,
// what it takes from for the same, a router's case for those that were sent there. What can run side by side does.

import { HeadraceError, type Scope, toHeadraceError, type Value } from '../../core/index.ts';
import type { NodeTiming } from '../model-work.ts';
import type {
  GraphPlan,
  PlannedEnsemble,
  PlannedInput,
  PlannedModel,
  PlannedNode,
  PlannedRouter,
} from './graph-plan.ts';
import type { NodeMeter } from './node-meter.ts';
import { NodeWork } from './node-work.ts';

/** What a node gave for a row: its outputs, or why it has none. */
export type NodeAnswer = readonly Value[] | HeadraceError;

export interface GraphRunOptions {
  readonly plan: GraphPlan;
  readonly meters: readonly NodeMeter[];
  /** Feature values, in the order of the graph's service. */
  readonly rows: readonly (readonly Value[])[];
  readonly scope: Scope;
  /** Told of each run of a node; left out where nobody asks. */
  readonly timed?: ((timing: NodeTiming) => void) | undefined;
}

/** Undefined: it is done already. */
type Pending = Promise<void> | undefined;

/** The answers of the node that answers, in the rows' order. Never rejects; a promise only where a model runs. */
export function runGraph(options: GraphRunOptions): readonly NodeAnswer[] | Promise<readonly NodeAnswer[]> {
  const run = new GraphRun(options);
  const { output } = options.plan;
  const pending = run.need(
    output,
    options.rows.map((_, row) => row),
  );
  const answers = (): readonly NodeAnswer[] => run.answersOf(output);
  return pending === undefined ? answers() : pending.then(answers);
}

class GraphRun {
  readonly #given: GraphRunOptions;
  /** By node and row; undefined while it is not known. */
  readonly #answers: (NodeAnswer | undefined)[][];
  /** By node and row: it was asked for. */
  readonly #asked: boolean[][];
  /** By node: runs that are under way. A row may be asked for by several. */
  readonly #underWay: Set<Promise<void>>[];

  constructor(given: GraphRunOptions) {
    const { plan, rows } = given;
    this.#given = given;
    this.#answers = plan.nodes.map(() => new Array<NodeAnswer | undefined>(rows.length));
    this.#asked = plan.nodes.map(() => new Array<boolean>(rows.length).fill(false));
    this.#underWay = plan.nodes.map(() => new Set());
  }

  /** All rows of a node that was needed for all. */
  answersOf(place: number): readonly NodeAnswer[] {
    return this.#answers[place] as NodeAnswer[];
  }

  /** Has the node answer the rows, as far as it has not yet. */
  need(place: number, rows: readonly number[]): Pending {
    const asked = this.#asked[place] as boolean[];
    const fresh: number[] = [];
    for (const row of rows) {
      if (asked[row] === true) continue;
      asked[row] = true;
      fresh.push(row);
    }
    const underWay = this.#underWay[place] as Set<Promise<void>>;
    const before = fresh.length < rows.length && underWay.size > 0 ? Promise.all(underWay).then(() => {}) : undefined;
    if (fresh.length === 0) return before;
    const node = this.#given.plan.nodes[place] as PlannedNode;
    const run = after(this.#needAll(node.before, fresh), () => this.#run(node, fresh));
    if (run === undefined) return before;
    underWay.add(run);
    const told = run.then(() => void underWay.delete(run));
    return before === undefined ? told : Promise.all([before, told]).then(() => {});
  }

  #needAll(places: readonly number[], rows: readonly number[]): Pending {
    if (places.length === 1) return this.need(places[0] as number, rows);
    const pending = places.flatMap((place) => this.need(place, rows) ?? []);
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => {});
  }

  /** What it takes from has answered. */
  #run(node: PlannedNode, rows: readonly number[]): Pending {
    const tally = this.#begin(node, rows);
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

  #runModel(node: PlannedModel, rows: readonly number[], tally: Tally): Pending {
    const given: (readonly Value[])[] = [];
    const places: number[] = [];
    for (const row of rows) {
      const values = this.#valuesFor(node, row);
      const error = values instanceof HeadraceError ? values : tally.own(node.binding.check(values));
      if (error !== undefined) this.#put(node, row, error, tally);
      else {
        given.push(values as readonly Value[]);
        places.push(row);
      }
    }
    if (given.length === 0) return tally.end();
    const { timeoutMs } = node;
    const untilMs = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    const { scope } = this.#given;
    const isOwn = untilMs < scope.deadlineMs;
    const within = isOwn ? scope.child({ deadlineMs: untilMs }) : scope;
    return new Promise((resolve) => {
      let isOver = false;
      let timer: NodeJS.Timeout | undefined;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        tally.end();
        resolve();
      };
      const tell = (index: number, answer: readonly Value[] | HeadraceError): void => {
        if (isOver) return;
        const own =
          answer instanceof HeadraceError ? tally.own(isOwn ? asTimeout(answer, timeoutMs) : answer) : undefined;
        this.#put(node, places[index] as number, own ?? pick(node, answer as readonly Value[]), tally);
      };
      // A run can't be stopped: who waits for it goes on without it.
      const late = (): void => {
        const error = new HeadraceError('HR_DEADLINE', tooSlow(timeoutMs));
        const answers = this.#answers[node.place] as NodeAnswer[];
        for (const row of places)
          if (answers[row] === undefined) this.#put(node, row, tally.own(error) as NodeAnswer, tally);
        end();
      };
      if (isOwn && timeoutMs !== undefined) timer = setTimeout(late, timeoutMs);
      node.loaded.submit(new NodeWork(node, within, given, 0, tell, end));
    });
  }

  #valuesFor({ sources }: PlannedModel, row: number): NodeAnswer {
    const features = this.#given.rows[row] as readonly Value[];
    if (sources === undefined) return features;
    const values = new Array<Value>(sources.length);
    for (let i = 0; i < sources.length; i++) {
      const { node, at } = sources[i] as NonNullable<typeof sources>[number];
      const from = node === undefined ? features : this.#answer(node, row);
      if (from instanceof HeadraceError) return from;
      values[i] = from[at] ?? null;
    }
    return values;
  }

  /** What a function gives for a row, or why it gives nothing. */
  #call<R>(
    node: { readonly inputs: readonly PlannedInput[] },
    row: number,
    run: (inputs: Readonly<Record<string, readonly Value[]>>) => R,
    tally: Tally,
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
      tally.failed();
      // It names its node.
      return toHeadraceError(thrown);
    }
  }

  #combine(node: PlannedEnsemble, row: number, tally: Tally): NodeAnswer {
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
    tally.failed();
    const why = `node "${node.name}": ${given.length} of its ${node.before.length} members answered, it takes ${node.minimum}`;
    // Fewer than all have answered, so one was skipped, and the minimum is 1 at least.
    return new HeadraceError(skipped?.code ?? 'HR_INFERENCE_FAILED', `${why}: ${skipped?.message ?? ''}`, {
      cause: skipped,
    });
  }

  /** Rows of each case together, so that they run as one batch. */
  #route(node: PlannedRouter, rows: readonly number[], tally: Tally): Pending {
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
    const pending = [...chosen].flatMap(([place, own]) => {
      const copy = (): void => {
        for (const row of own) this.#put(node, row, this.#answer(place, row), tally);
      };
      return after(this.need(place, own), copy) ?? [];
    });
    // Its own time is that of choosing.
    const tookMs = tally.tookMs();
    return pending.length === 0 ? tally.end(tookMs) : Promise.all(pending).then(() => tally.end(tookMs));
  }

  #answer(place: number, row: number): NodeAnswer {
    return (this.#answers[place] as NodeAnswer[])[row] as NodeAnswer;
  }

  #put(node: PlannedNode, row: number, answer: NodeAnswer, tally: Tally): void {
    const answers = this.#answers[node.place] as NodeAnswer[];
    if (!(answer instanceof HeadraceError)) {
      tally.answered();
      answers[row] = answer;
    } else if (node.standIns !== undefined) {
      tally.stoodFor();
      answers[row] = node.standIns;
    } else answers[row] = answer;
  }

  #begin(node: PlannedNode, rows: readonly number[]): Tally {
    const { meters, scope, timed } = this.#given;
    const startMs = performance.now();
    const span = scope.span?.child('graph.node');
    let [answered, failures, standIns] = [0, 0, 0];
    // Rows that ran together fail together, by one error.
    let [failed, named]: [HeadraceError?, HeadraceError?] = [];
    return {
      own(error) {
        if (error === undefined) return undefined;
        failures++;
        if (error !== failed) [failed, named] = [error, naming(node, error)];
        return named;
      },
      answered: () => void answered++,
      failed: () => void failures++,
      stoodFor: () => void standIns++,
      tookMs: () => performance.now() - startMs,
      end(tookMs = performance.now() - startMs) {
        const version = node.kind === 'model' ? node.version : null;
        meters[node.place]?.ran(answered, failures, tookMs);
        timed?.({ node: node.name, version, rows: answered, failures, standIns, tookMs });
        if (span === undefined) return undefined;
        span.set('headrace.node', node.name);
        if (version !== null) span.set('headrace.version', version);
        span.set('headrace.rows', rows.length);
        span.set('headrace.failures', failures);
        span.end(named);
        return undefined;
      },
    };
  }
}

/** Counts one run of a node. */
interface Tally {
  /** An error of the node's own, as it names the node. */
  own(error: HeadraceError | undefined): HeadraceError | undefined;
  answered(): void;
  failed(): void;
  stoodFor(): void;
  tookMs(): number;
  end(tookMs?: number): undefined;
}

function after(pending: Pending, work: () => Pending | void): Pending {
  if (pending !== undefined) return pending.then(work);
  const next = work();
  return next instanceof Promise ? next : undefined;
}

function pick({ picks }: PlannedModel, outputs: readonly Value[]): readonly Value[] {
  return picks.map((at) => outputs[at] ?? null);
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
