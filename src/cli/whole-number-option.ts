// An option that takes a whole number.

import { type CommandOptions, textOption, usageError } from './command.ts';

/** `name` as it is typed, without its dashes. Undefined where it is left out; wrong usage where it is none from `min` to `max`. */
export function wholeNumberOption(options: CommandOptions, name: string, min: number, max: number): number | undefined {
  const text = textOption(
    options,
    name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
  );
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max))
    throw usageError(`--${name} takes a whole number from ${min} to ${max}, got "${text}".`);
  return value;
}
