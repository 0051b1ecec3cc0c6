// By what the outputs of a step's tasks are kept: the hash of all that they go by. A step that reads the world besides is not to be
// cached, so its author asks for it.

import { contentHash, sha256Hex, stringifyJson } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import { itemOf, type StepOrder } from '../step/order.ts';

/**
 * The key of each task of an order. Whoever it is run for, and how long it may take, is not in it. `python`: the version of the
 * interpreter, of which scripts and notebooks are run by one; null where this machine has none.
 */
export function cacheKeys(order: StepOrder, python: string | null): (index: number) => string {
  const { action, params, items, needs, env, secrets } = order;
  const machine = [process.platform, process.arch, runsPython(action) ? python : process.version];
  const base = contentHash({ action: codeOf(action), params, items, needs, env, secrets, machine });
  return (index) => sha256Hex(`${base}\n${index}\n${stringifyJson(itemOf(order, index) ?? null)}`);
}

export function runsPython({ kind }: StepAction): boolean {
  return kind === 'python' || kind === 'notebook';
}

/** Of a function its code alone: its id says where it is written. */
function codeOf(action: StepAction): unknown {
  if (action.kind !== 'task') return action;
  const { hash, bundle } = action.function;
  return { kind: action.kind, code: bundle ?? hash };
}
