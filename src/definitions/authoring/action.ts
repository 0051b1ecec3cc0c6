// What all actions of steps are to the compiler: of what they are made, and what they give.

import type { AuthoredAction } from './authored.ts';

declare const inputOf: unique symbol;
declare const outputOf: unique symbol;

/** An action that takes the results of needed steps `I` and gives `R`. */
export interface Action<I, R> {
  readonly action: AuthoredAction;
  readonly [inputOf]?: (input: I) => void;
  readonly [outputOf]?: R;
}

/**
 * A need of a task that does not name its type. Every member is there and can be anything; its array methods work for
 * the results of a `foreach`.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- what a script returns is not known before it runs
export type AnyResult = any[] & Readonly<Record<string, any>>;

/** A result that fits whatever type the task that needs it names. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a script returns is not known before it runs
export type NotKnown = any;

/** The needs of a task that does not name their type. */
export type AnyNeeds = Readonly<Record<string, AnyResult>>;
