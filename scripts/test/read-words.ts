// The words of a command of this project as options, or a line that says what is wrong with one of them.

import { parseArgs } from 'node:util';
import { didYouMean } from '../../src/core/suggest.ts';

type Known = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }>>;

export interface Command<Options extends Known> {
  /** As it is typed, up to its options: `npm test --`. */
  readonly start: string;
  readonly options: Options;
  /** What comes after `start` to give an option a value that it takes. */
  readonly examples: Readonly<Record<string, string>>;
}

export type Given<Options extends Known> = {
  readonly [Name in keyof Options]?: Options[Name]['type'] extends 'string' ? string : true;
};

/** `problem` is an option that is unknown, lacks its value or has one too many. */
export function readWords<Options extends Known>(
  words: readonly string[],
  command: Command<Options>,
): { readonly given: Given<Options>; readonly positionals: readonly string[] } | { readonly problem: string } {
  const { values, positionals, tokens } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: command.options,
    // Node's own messages come with a stack, and are about JavaScript.
    strict: false,
    tokens: true,
  });
  const problem = tokens
    .map((token) => (token.kind === 'option' ? problemOfToken(token, command) : undefined))
    .find((one) => one !== undefined);
  // The tokens have the types that the options say, or there is a problem.
  return problem === undefined ? { given: values as Given<Options>, positionals } : { problem };
}

interface Token {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function problemOfToken<Options extends Known>(
  { name, rawName, value, inlineValue }: Token,
  { start, options, examples }: Command<Options>,
): string | undefined {
  const option = Object.entries(options).find(([known]) => known === name)?.[1];
  if (option === undefined)
    return `There is no option ${rawName}.${didYouMean(name, Object.keys(options))} \`${start} --help\` shows them all.`;
  if (option.type === 'boolean')
    return value === undefined ? undefined : `${rawName} takes no value, but got "${value}": ${start} ${rawName}`;
  // What begins with a dash is the next option.
  if (value !== undefined && (inlineValue === true || !value.startsWith('-'))) return undefined;
  return `${rawName} needs a value: ${start} ${examples[name] ?? rawName}`;
}
