// What processes wait for, one step at a time: whoever plays a history picks which step is done next, so that anything may
// come between any two.

import type { Random } from '../support/chance.ts';

/** A process of the history. A dead one is never answered again. */
export interface Owner {
  isAlive: boolean;
}

/** Something that a process waits for. Of one channel the first is done first. */
export interface Step {
  readonly owner: Owner;
  readonly what: string;
  /** Undefined: by itself. */
  readonly channel: object | undefined;
  /** The turn before which it is not done. */
  readonly from: number;
  /** Its effect, and its answer. */
  readonly work: () => unknown;
  readonly answer: (value: unknown) => void;
  readonly refuse: (error: Error) => void;
}

export class Steps {
  readonly #random: Random;
  #waiting: Step[] = [];
  #delays: { readonly untilMs: number; readonly done: () => void }[] = [];
  #nowMs = 0;
  #turn = 0;
  /** The share of steps that take long enough for much else to happen. */
  slowness = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Resolves with what `work` gives once the step is done; never, where its owner is dead by then. */
  wait<T>(owner: Owner, what: string, work: () => T, channel?: object): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!owner.isAlive) return;
      // The answer is what its own work gave.
      const from = this.#turn + (this.#random.chance(this.slowness) ? this.#random.between(20, 150) : 0);
      this.#waiting.push({ owner, what, channel, from, work, answer: (value) => resolve(value as T), refuse: reject });
    });
  }

  /** In the place of timers. */
  delay(ms: number): Promise<void> {
    return new Promise((done) => this.#delays.push({ untilMs: this.#nowMs + ms, done }));
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  get hasDelays(): boolean {
    return this.#delays.length > 0;
  }

  /** Does one of those that wait and whose turn it is; false where there is none. */
  async next(): Promise<boolean> {
    this.#turn++;
    const first = this.#first();
    if (first.length === 0) return false;
    // Where all take long, those that are through first.
    this.#turn = Math.max(this.#turn, Math.min(...first.map(({ from }) => from)));
    const ready = first.filter(({ from }) => from <= this.#turn);
    const step = this.#random.pick(ready);
    this.#waiting.splice(this.#waiting.indexOf(step), 1);
    try {
      step.answer(step.work());
    } catch (error) {
      step.refuse(error as Error);
    }
    await settled();
    return true;
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = this.#delays.filter(({ untilMs }) => untilMs <= this.#nowMs);
    this.#delays = this.#delays.filter(({ untilMs }) => untilMs > this.#nowMs);
    for (const { done } of due) done();
    await settled();
  }

  /** Takes away those that a channel waits for. */
  take(isMeant: (step: Step) => boolean): readonly Step[] {
    const taken = this.#waiting.filter(isMeant);
    this.#waiting = this.#waiting.filter((step) => !isMeant(step));
    return taken;
  }

  /** Those whose turn it is in their channel. */
  #first(): readonly Step[] {
    const seen = new Set<object>();
    return this.#waiting.filter(({ channel }) => {
      if (channel === undefined) return true;
      const isFirst = !seen.has(channel);
      seen.add(channel);
      return isFirst;
    });
  }
}

/** Until nobody has more to do than wait for a step. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
}
