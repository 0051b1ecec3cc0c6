// Counts one run of a node, times it, and names the node in its errors.

import { HeadraceError, type Scope, type Span } from '../../core/index.ts';
import type { NodeTiming } from '../model-work.ts';
import type { PlannedNode } from './graph-plan.ts';
import type { NodeMeter } from './node-meter.ts';

/** The moment of the last thing that ended: what begins after it begins then, and needs no look at the clock. */
export interface RunClock {
  nowMs: number;
}

export interface TallyOptions {
  readonly scope: Scope;
  /** By place of a node. */
  readonly meters: readonly NodeMeter[];
  /** Told of each run of a node; left out where nobody asks. */
  readonly timed?: ((timing: NodeTiming) => void) | undefined;
}

export class NodeTally {
  answered = 0;
  failures = 0;
  standIns = 0;
  readonly #node: PlannedNode;
  readonly #asked: number;
  readonly #given: TallyOptions;
  readonly #span: Span | undefined;
  readonly #clock: RunClock;
  readonly #startMs: number;
  // Rows that ran together fail together, by one error.
  #failed: HeadraceError | undefined;
  #named: HeadraceError | undefined;

  constructor(node: PlannedNode, asked: number, given: TallyOptions, clock: RunClock) {
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

  tookMs(endMs = performance.now()): number {
    return (this.#clock.nowMs = endMs) - this.#startMs;
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

function naming({ name }: PlannedNode, { code, message, details, cause }: HeadraceError): HeadraceError {
  return new HeadraceError(code, `node "${name}": ${message}`, { details, cause });
}
