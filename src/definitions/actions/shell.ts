// A command of the shell as a step.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { isTexts } from '../compile/plain-data.ts';
import { closed, files as filesSchema, text } from '../compile/schema-parts.ts';
import type { AppliedFile } from '../manifest.ts';
import type { ActionKind } from './action-kind.ts';

interface ShellOptions {
  /** Files and folders of the feature repository that travel with it, beside those that the command names. */
  readonly files?: readonly string[];
}

const SHELL_OPTIONS: OptionNames<ShellOptions> = { files: true };

/**
 * A command that `/bin/sh` runs, with what a script is given: `HEADRACE_STEP_INPUT` and `HEADRACE_STEP_OUTPUT`. Text files of
 * the repository that one of its words names travel with it: `shell('sh scripts/check.sh --strict')`.
 */
export function shell(command: string, options: ShellOptions = {}): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, SHELL_OPTIONS, [1], 'shell(…)');
  const given: Given = { command, files: optionsOf(options).files };
  return { action: { kind: 'shell', given, slips } };
}

interface Given {
  readonly command: string;
  readonly files: unknown;
}

export interface ShellSpec {
  readonly kind: 'shell';
  readonly command: string;
  /** What travels with it; left out for nothing. */
  readonly files?: readonly AppliedFile[];
}

export const shellKind: ActionKind<Given, ShellSpec> = {
  kind: 'shell',
  schema: Type.Object({ kind: Type.Literal('shell'), command: text, files: filesSchema }, closed),
  compile({ command, files }, { report, text: checkText, takeAlong }) {
    const atFiles = [1, 1, 'files'];
    if (typeof command !== 'string' || command.trim() === '')
      report(": shell(…) needs a command: shell('sh check.sh')", [1, 0]);
    if (isTexts(files)) {
      for (const [at, path] of files.entries()) checkText('a path in files', path, [...atFiles, at]);
      takeAlong(files);
    } else if (files !== undefined) {
      const came = describeResult(files);
      report(`: the files of shell(…) must be an array of paths: ['scripts'], got ${came}`, atFiles);
    }
    return { kind: 'shell', command };
  },
};
