// What is under way in a graph's run. Who waits is called at once when it ends: a promise would cost each row a turn of its own.

export interface Ended {
  ended(): void;
}

/** Undefined: it is done already. */
export type Pending = Ending | undefined;

export class Ending implements Ended {
  #left: number;
  #next: (() => Pending) | undefined;
  #first: Ended | undefined;
  #others: Ended[] | undefined;

  /** Ends once `ended` was called `left` times, and what `next` then began has ended, too. */
  constructor(left: number, next?: () => Pending) {
    this.#left = left;
    this.#next = next;
  }

  get isOver(): boolean {
    return this.#left === 0;
  }

  ended(): void {
    if (this.#left === 1 && this.#next !== undefined) {
      const next = this.#next;
      this.#next = undefined;
      const more = next();
      if (more !== undefined) return more.whenOver(this);
    }
    if (--this.#left > 0) return;
    this.#first?.ended();
    if (this.#others !== undefined) for (const other of this.#others) other.ended();
  }

  /** One more that it waits for. */
  waitFor(other: Ending): void {
    this.#left++;
    other.whenOver(this);
  }

  /** Those who wait are called in the order in which they came; at once where it is over. */
  whenOver(waiting: Ended): void {
    if (this.isOver) waiting.ended();
    else if (this.#first === undefined) this.#first = waiting;
    else (this.#others ??= []).push(waiting);
  }
}

/** Until both have ended. */
export function joined(one: Pending, other: Pending): Pending {
  if (one === undefined || one.isOver) return other;
  if (other === undefined || other.isOver || one === other) return one;
  const both = new Ending(2);
  one.whenOver(both);
  other.whenOver(both);
  return both;
}

/** Calls `next` after it; gives what ends once that has ended, too. */
export function after(pending: Ending, next: () => Pending): Ending {
  const all = new Ending(1, next);
  pending.whenOver(all);
  return all;
}
