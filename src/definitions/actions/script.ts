// What a Python script and a notebook share: where they lie, what they are made to run with, what they are given.

import { Type } from 'typebox';
import { dataMistake } from '../compile/names.ts';
import { isPlain } from '../compile/plain-data.ts';
import { closed, files, text } from '../compile/schema-parts.ts';
import type { AppliedFile } from '../manifest.ts';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import type { ActionContext, ActionKind } from './action-kind.ts';

export interface ScriptOptions {
  /** A file of pip's requirements, relative to the feature repository. Its environment is made once from it. */
  readonly requirements?: string;
  /** Plain JSON data. */
  readonly args?: Readonly<Record<string, unknown>>;
}

const SCRIPT_OPTIONS: OptionNames<ScriptOptions> = { requirements: true, args: true };

export interface GivenScript {
  readonly script: string;
  readonly requirements: string | undefined;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface ScriptSpec<K extends string> {
  readonly kind: K;
  readonly script: string;
  readonly requirements?: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** The script and what it imports or may read; left out where they lie in no repository. */
  readonly files?: readonly AppliedFile[];
  /** Why all Python files of the script's folder are among them, and not only those that it can be seen to import. */
  readonly whole?: string;
}

/** What the call of that name gives. */
export function scriptAction(
  kind: 'python' | 'notebook',
  script: string,
  options: ScriptOptions,
): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, SCRIPT_OPTIONS, [1], `${kind}(…)`);
  const { requirements, args = {} } = optionsOf(options);
  const given: GivenScript = { script, requirements, args };
  return { action: { kind, given, slips } };
}

/** `mistakeOf` says what is wrong with a path, as it goes on after the call's name. */
export function scriptKind<K extends string>(
  kind: K,
  mistakeOf: (script: unknown) => string | undefined,
): ActionKind<GivenScript, ScriptSpec<K>> {
  return {
    kind,
    schema: scriptSchema(kind),
    compile(given, context) {
      const mistake = mistakeOf(given.script);
      if (mistake !== undefined) context.report(`: ${kind}(…) ${mistake}`, [1, 0]);
      return compileScript(kind, given, context);
    },
  };
}

function scriptSchema(kind: string): ReturnType<typeof Type.Object> {
  return Type.Object(
    {
      kind: Type.Literal(kind),
      files,
      whole: Type.Optional(text),
      script: text,
      requirements: Type.Optional(text),
      args: Type.Record(text, Type.Unknown()),
    },
    closed,
  );
}

function compileScript<K extends string>(
  kind: K,
  { script, requirements, args }: GivenScript,
  { report, text: checkText }: ActionContext,
): ScriptSpec<K> {
  const atArgs = [1, 1, 'args'];
  const mistake = dataMistake(args);
  if (mistake !== undefined) report(`: args: ${mistake}`, atArgs);
  else if (!isPlain(args) || Array.isArray(args))
    report(`: the args of ${kind}(…) must be an object of plain JSON data`, atArgs);
  if (requirements !== undefined) checkText('requirements', requirements, [1, 1, 'requirements']);
  return { kind, script, ...(requirements === undefined ? {} : { requirements }), args };
}
