// What no object tells in words of its own: what people write about it, and members that came later than this file.

import { describeDifference } from '../difference.ts';
import { type ChangeLine, line } from './change-line.ts';

const ABOUT = ['description', 'owner', 'tags', 'renamedFrom'];

type Spec = Readonly<Record<string, unknown>>;

/** Lines of all members but those that are told already. One without words of its own may mean anything: it is meaning. */
export function restLines(was: object, is: object, told: readonly string[]): ChangeLine[] {
  // Both are looked at by their own members only.
  const [old, next] = [was as Spec, is as Spec];
  const names = [...new Set([...Object.keys(old), ...Object.keys(next)])].filter(
    // A rename is told by its names, and the name that data lies under follows from it.
    (name) => !told.includes(name) && name !== 'name' && name !== 'storedAs',
  );
  const lines = (kind: 'about' | 'meaning', chosen: readonly string[]): ChangeLine[] =>
    describeDifference(pick(old, chosen), pick(next, chosen)).map((text) => line(kind, text));
  return [
    ...lines(
      'meaning',
      names.filter((name) => !ABOUT.includes(name)),
    ),
    ...lines(
      'about',
      names.filter((name) => ABOUT.includes(name)),
    ),
  ];
}

function pick(spec: Spec, names: readonly string[]): Spec {
  return Object.fromEntries(names.filter((name) => Object.hasOwn(spec, name)).map((name) => [name, spec[name]]));
}
