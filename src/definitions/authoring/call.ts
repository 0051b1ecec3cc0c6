// What is noted when an authoring function is called: where the call stands, and which of its options nobody knows. It is
// told later, with all other mistakes.

import { didYouMean } from '../../core/index.ts';
import { AUTHORED } from './authored-mark.ts';

/** The way from a call to a part of what it was given: members by name, arguments and items by number, calls by method. */
export type Path = readonly (string | number | MethodCall)[];

/** In a chain such as `mean('delay').over('7d').default(0)`: the call of a method; of null, the one that began it. */
export interface MethodCall {
  readonly method: string | null;
}

/** A mistake that shows in the call itself. */
export interface Slip {
  readonly path: Path;
  readonly message: string;
}

export interface Call {
  /** The call's stack, which is made into text only when it is read: where there are mistakes. */
  readonly trace: { readonly stack?: string };
  readonly slips: readonly Slip[];
}

/** The names of the options `T`. The compiler refuses a list that lacks one, and one that has another. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

type Names = Readonly<Record<string, true>>;

// The user's call stands under at most three of ours; helpers of a package may stand between.
const DEPTH = 12;

/** Notes the call that is under way, and what `given`, its argument at `path`, has beside `known`. */
export function noteCall(given: unknown, known: Names, path: Path = [1]): Call {
  const trace: { stack?: string } = {};
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  Error.captureStackTrace(trace, noteCall);
  Error.stackTraceLimit = depth;
  return { trace, slips: findSlips(given, known, path) };
}

/** What is wrong with options, but for their values. `owner` begins the sentence: `it`, or `python(…)`. */
export function findSlips(given: unknown, known: Names, path: Path, owner = 'it'): Slip[] {
  if (!isOptions(given)) {
    const whose = owner === 'it' ? 'its options' : `the options of ${owner}`;
    const came = given === null ? 'null' : Array.isArray(given) ? 'an array' : describeKind(given);
    return [{ path, message: `${whose} must be an object, got ${came}` }];
  }
  // Taking an option out of a spread leaves its name, without a value.
  return Object.keys(given)
    .filter((name) => given[name] !== undefined && !Object.hasOwn(known, name))
    .map((name) => ({ path: [...path, name], message: unknownOption(owner, name, Object.keys(known).sort()) }));
}

function unknownOption(owner: string, name: string, known: readonly string[]): string {
  const shown = name.length > 60 ? `${name.slice(0, 60)}…` : name;
  return `${owner} has no option "${shown}".${didYouMean(shown, known) || ` Its options: ${known.join(', ')}.`}`;
}

/** The options; those that are none are as if nothing was given, and `findSlips` has told so. */
export function optionsOf<T extends object>(given: T): T {
  // Every member is then missing, as it may be in plain JavaScript: the compile step reads all of them with care.
  return isOptions(given) ? given : ({} as T);
}

// An entity in place of options is a slip too.
function isOptions(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given) && !(AUTHORED in given);
}

function describeKind(given: unknown): string {
  if (given === undefined) return 'nothing';
  return typeof given === 'object' ? 'another object of the API' : `a ${typeof given}`;
}
