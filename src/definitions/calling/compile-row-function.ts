// A user's function of a row, wrapped once so that a call does no schema look-ups: what it gets is made of values, what it
// gives is checked against what is declared.

import { type Field, HeadraceError, INVALID, messageOf, typeName, type Value } from '../../core/index.ts';
import type { UserFunction } from '../manifest.ts';
import { describeResult, fromUserOf, memberReader, rowMaker } from './user-value.ts';

/** How sentences speak of it: `its transform`, `feature "x"`. */
export interface RowFunctionWords {
  readonly called: string;
  readonly gives: string;
}

export interface RowInput {
  readonly name: string;
  readonly fields: readonly Field[];
  /** Columns of a request: the default stands in for null. */
  readonly isRequest: boolean;
}

/** Takes each input's values in the order of its fields. */
export type GiveInputs<R> = (inputs: Readonly<Record<string, readonly Value[]>>) => R;

/**
 * Gives the values of `outputs` in their order. `owner` is whose function it is: `on-demand view "x"`.
 * The call throws HR_TRANSFORM_FAILED, naming owner and output, when the function throws or gives a wrong value.
 */
export function compileRowFunction(
  words: RowFunctionWords,
  owner: string,
  fn: UserFunction,
  inputs: readonly RowInput[],
  outputs: readonly Field[],
): GiveInputs<Value[]> {
  const call = compileCall(words, owner, fn, inputs);
  const names = outputs.map(({ name }) => name);
  const fromUser = outputs.map(({ type }) => fromUserOf(type));
  const read = memberReader(names);
  return (values) => {
    const result = call(values);
    if (result === null || typeof result !== 'object' || result instanceof Promise)
      throw wrong(
        owner,
        `expected its ${words.called} to return an object of ${names.join(', ')}, got ${describeResult(result)}.`,
      );
    try {
      const members = read(result);
      const out = new Array<Value>(members.length);
      for (let at = 0; at < members.length; at++) {
        const got = members[at];
        const isThere = got !== undefined || (names[at] as string) in result;
        const value = isThere ? (fromUser[at] as (typeof fromUser)[number])(got) : INVALID;
        if (value === INVALID) throw wrongOutput(words, owner, outputs[at] as Field, got);
        out[at] = value;
      }
      return out;
    } catch (cause) {
      // A getter of what it returned is the function's, too.
      throw cause instanceof HeadraceError ? cause : threw(words, owner, cause);
    }
  };
}

/** As `compileRowFunction`, for a function that names one of `choices`; gives the choice's place. */
export function compileChoice(
  words: RowFunctionWords,
  owner: string,
  fn: UserFunction,
  inputs: readonly RowInput[],
  choices: readonly string[],
): GiveInputs<number> {
  const call = compileCall(words, owner, fn, inputs);
  const places = new Map<unknown, number>(choices.map((choice, place) => [choice, place]));
  return (values) => {
    const result = call(values);
    const place = places.get(result);
    if (place !== undefined) return place;
    const known = choices.map((choice) => JSON.stringify(choice)).join(', ');
    throw wrong(owner, `expected its ${words.called} to return one of ${known}, got ${describeResult(result)}.`);
  };
}

function compileCall(
  words: RowFunctionWords,
  owner: string,
  fn: UserFunction,
  inputs: readonly RowInput[],
): GiveInputs<unknown> {
  const makers = inputs.map(({ name, fields, isRequest }) => ({ name, toRow: rowMaker(fields, isRequest) }));
  // The compile step knows that it is a function; its result is checked by whoever calls this.
  const call = fn as unknown as (inputs: Readonly<Record<string, unknown>>) => unknown;
  return (values) => {
    const given: Record<string, unknown> = {};
    for (const { name, toRow } of makers) given[name] = toRow(values[name] ?? []);
    try {
      return call(given);
    } catch (cause) {
      throw threw(words, owner, cause);
    }
  };
}

function threw({ called }: RowFunctionWords, owner: string, cause: unknown): HeadraceError {
  const sentence = `its ${called} threw: ${messageOf(cause)}. Make it handle such a row (every value can be null).`;
  return wrong(owner, sentence, cause);
}

function wrongOutput(
  { called, gives }: RowFunctionWords,
  owner: string,
  { name, type }: Field,
  got: unknown,
): HeadraceError {
  const where = `${owner}, ${gives} "${name}"`;
  return new HeadraceError(
    'HR_TRANSFORM_FAILED',
    `${where}: expected ${typeName(type)} or null, got ${describeResult(got)}. Change the ${called} or the declared type.`,
    { where },
  );
}

function wrong(where: string, sentence: string, cause?: unknown): HeadraceError {
  return new HeadraceError('HR_TRANSFORM_FAILED', `${where}: ${sentence}`, {
    where,
    ...(cause === undefined ? {} : { cause }),
  });
}
