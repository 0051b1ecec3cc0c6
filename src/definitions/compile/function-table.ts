// The users' functions that a compilation meets, each under its id, and how the manifest refers to each.

import { sha256Hex } from '../../core/index.ts';
import type { FunctionRef, UserFunction } from '../manifest.ts';

/** How the manifest refers to a function. */
export type ReferTo = (id: string, fn: UserFunction) => FunctionRef;

/** For definitions made in memory: the hash of the function's own text is all that can be told. */
export const referByText: ReferTo = (id, fn) => ({ id, hash: sha256Hex(String(fn)) });

export class FunctionTable {
  readonly functions = new Map<string, UserFunction>();
  readonly #referTo: ReferTo;

  constructor(referTo: ReferTo) {
    this.#referTo = referTo;
  }

  /** Takes the function in; gives what names it in the manifest. */
  add(id: string, fn: UserFunction): FunctionRef {
    this.functions.set(id, fn);
    return this.#referTo(id, fn);
  }
}
