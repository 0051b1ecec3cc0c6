// An image that is run as a step.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { isTexts } from '../compile/plain-data.ts';
import { closed, text } from '../compile/schema-parts.ts';
import type { ActionKind } from './action-kind.ts';

export interface ContainerOptions {
  /** With its registry and tag, or digest: `ghcr.io/team/fit:1.4`. */
  readonly image: string;
  /** What it runs, a word an item. Default: as the image says. */
  readonly command?: readonly string[];
}

const CONTAINER_OPTIONS: OptionNames<ContainerOptions> = { image: true, command: true };

/** Runs an image. It finds its input and output as a script does; nothing of the repository travels with it. */
export function container(options: ContainerOptions): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, CONTAINER_OPTIONS, [0], 'container(…)');
  const { image, command } = optionsOf(options);
  const given: Given = { image, command };
  return { action: { kind: 'container', given, slips } };
}

interface Given {
  readonly image: string;
  readonly command: unknown;
}

export interface ContainerSpec {
  readonly kind: 'container';
  readonly image: string;
  /** Empty: what the image says. */
  readonly command: readonly string[];
}

export const containerKind: ActionKind<Given, ContainerSpec> = {
  kind: 'container',
  schema: Type.Object({ kind: Type.Literal('container'), image: text, command: Type.Array(text) }, closed),
  compile({ image, command = [] }, { report }) {
    if (typeof image !== 'string' || !/^\S+$/.test(image)) {
      const came = describeResult(image);
      report(`: container(…) needs an image: { image: 'ghcr.io/team/fit:1.4' }, got ${came}`, [1, 0, 'image']);
    }
    const hasWords = isTexts(command);
    if (!hasWords) {
      const came = describeResult(command);
      report(
        `: the command of container(…) must be an array of texts: ['python', 'fit.py'], or ['sh', '-c', '…'] for a shell's, got ${came}`,
        [1, 0, 'command'],
      );
    }
    return { kind: 'container', image, command: hasWords ? command : [] };
  },
};
