// What the push benchmarks send: rows of either source, over so many users, made before anything is timed.

import { FLOATS, type PushedSource } from './push-project.ts';

/** One row of the source; the same number gives the same row. */
export function rowOf(source: PushedSource, number: number, users: number, nowMs: number): Record<string, unknown> {
  const user = `user${number % users}`;
  const at = new Date(nowMs - (number % 60_000)).toISOString();
  if (source === 'amounts') return { user, amount: noise(number) * 100, at };
  return { user, ...Object.fromEntries(FLOATS.map((column, place) => [column, noise(number * 31 + place)])), at };
}

/** `count` bodies of `rows` rows each, numbered on from `first`. */
export function bodiesOf(
  source: PushedSource,
  {
    count,
    rows,
    users,
    first = 0,
  }: { readonly count: number; readonly rows: number; readonly users: number; readonly first?: number },
): string[] {
  const nowMs = Date.now();
  return Array.from({ length: count }, (_, body) =>
    JSON.stringify({
      rows: Array.from({ length: rows }, (__, row) => rowOf(source, first + body * rows + row, users, nowMs)),
    }),
  );
}

// All digits that a double has, as measured values have them: below 1, and not of a pattern.
function noise(number: number): number {
  const scattered = Math.imul(number ^ (number >>> 15), 0x2c1b3c6d) >>> 0;
  return (scattered + ((number * 7919) % 65_536) / 65_536) / 2 ** 32;
}
