// Rules that pushed rows broke: the program's log tells of a rule's first at once, of those that follow how many, once a
// minute at most; whoever counts is told of each.

import type { BrokenRule } from '../checks/index.ts';
import type { Logger } from '../core/index.ts';

const TELL_EVERY_MS = 60_000;

export type TellBroken = (source: string, broken: readonly BrokenRule[]) => void;

export function tellOfBroken(logger: Logger, count: TellBroken = () => {}): TellBroken {
  const rules = new Map<string, { rows: number; toldAt: number }>();
  return (source, broken) => {
    count(source, broken);
    for (const { rule, onFail, rows } of broken) {
      const id = JSON.stringify([source, rule, onFail]);
      const known = rules.get(id) ?? { rows: 0, toldAt: -Infinity };
      rules.set(id, known);
      known.rows += rows;
      if (performance.now() - known.toldAt < TELL_EVERY_MS) continue;
      logger.warn({ source, rule, onFail, rows: known.rows }, 'pushed rows break what is expected of the source');
      known.toldAt = performance.now();
      known.rows = 0;
    }
  };
}
