// By which code a step's tasks are run, in a word that is kept with each of them.

import { contentHash } from '../core/index.ts';
import type { StepAction } from '../definitions/index.ts';
import { actionParts } from './action-parts.ts';
import type { Graph } from './engine/graph.ts';

/** By step. `manifestHash`: of the definitions that the run goes by. */
export function codesOf({ nodes }: Graph, manifestHash: string): ReadonlyMap<string, string> {
  return new Map(
    [...nodes.values()].flatMap((node) =>
      node.kind === 'step' ? [[node.name, codeOf(node.spec.action, manifestHash)] as const] : [],
    ),
  );
}

/**
 * `bundle:<SHA-256>` of a function, `image:<name>` of a container, `definitions:<hash>` of what Headrace does itself by those, and
 * `script:<SHA-256>` of what else runs: of the action with the hashes of all files that travel with it.
 */
function codeOf(action: StepAction, manifestHash: string): string {
  switch (action.kind) {
    case 'task':
      return `bundle:${action.function.bundle ?? action.function.hash}`;
    case 'container':
      return `image:${action.image}`;
    case 'python':
    case 'notebook':
    case 'shell':
      return `script:${contentHash(Object.fromEntries(actionParts(action)))}`;
    default:
      return `definitions:${manifestHash}`;
  }
}
