// Lists of named things: what came, what went, what is called otherwise, and how those that stayed differ.

import { canonicalJson, type Field, typeName } from '../../../core/index.ts';
import { becomes, type ChangeLine, line, type LineKind } from './change-line.ts';
import { showValue } from './show.ts';

interface Named {
  readonly name: string;
}

export interface ListWords<T> {
  /** `feature`, `column`. */
  readonly what: string;
  /** How one is shown that came or went, and what kind of line that is. */
  readonly show: (item: T) => string;
  readonly kind?: (item: T) => LineKind;
  readonly differences: (was: T, is: T, title: string) => readonly ChangeLine[];
  /** By former names, those that are called otherwise. */
  readonly renamed?: ReadonlyMap<string, string>;
  /** Whether another order is told. */
  readonly isOrdered?: boolean;
}

export function listLines<T extends Named>(
  before: readonly T[],
  after: readonly T[],
  words: ListWords<T>,
): ChangeLine[] {
  const { what, show, differences, kind = () => 'meaning', renamed = new Map<string, string>() } = words;
  const [old, next] = [byName(before), byName(after)];
  const later = (name: string): string => renamed.get(name) ?? name;
  const kept = new Set(before.map(({ name }) => later(name)));
  const lines = before.flatMap((was): readonly ChangeLine[] => {
    const is = next.get(later(was.name));
    if (is === undefined) return [line(kind(was), `- ${what} "${was.name}": ${show(was)}`)];
    const called = was.name === is.name ? [] : [line('name', `${what} "${was.name}" is called "${is.name}" now`)];
    return [...called, ...differences(was, is, `${what} "${is.name}"`)];
  });
  const came = after.filter(({ name }) => !kept.has(name));
  lines.push(...came.map((is) => line(kind(is), `+ ${what} "${is.name}": ${show(is)}`)));
  const stayed = before.map(({ name }) => later(name)).filter((name) => next.has(name));
  const order = after.map(({ name }) => name).filter((name) => kept.has(name));
  if (words.isOrdered === true && stayed.join() !== order.join() && old.size === before.length)
    lines.push(line('about', `order of ${what}s: ${order.join(', ')}`));
  return lines;
}

/** Of a field that stayed. */
export function fieldLines(was: Field, is: Field, title: string): ChangeLine[] {
  return [...becomes('type', title, typeName(was.type), typeName(is.type)), ...absenceLines(was, is, title)];
}

/** What a value stands for that isn't there, and whether a request may leave it out. */
export function absenceLines(was: Field, is: Field, title: string): ChangeLine[] {
  return [
    ...(canonicalJson(was.default) === canonicalJson(is.default)
      ? []
      : [line('meaning', `${title}: default ${showDefault(was)} → ${showDefault(is)}`)]),
    ...becomes('meaning', title, showPresence(was, is), showPresence(is, was)),
  ];
}

// A default has its own line.
function showPresence({ isOptional }: Field, other: Field): string {
  return isOptional === other.isOptional ? '' : isOptional === true ? 'optional' : 'not optional';
}

function showDefault(field: Field): string {
  return field.default === undefined ? 'none' : showValue(field.default);
}

function byName<T extends Named>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}
