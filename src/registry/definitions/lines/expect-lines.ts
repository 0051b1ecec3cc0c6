// What differs in what is expected of a source's rows or a view's values: only rows that are set apart change what is
// computed.

import type { Expectation } from '../../../definitions/index.ts';
import { showRule } from '../../../definitions/index.ts';
import { becomes, type ChangeLine, type LineKind } from './change-line.ts';
import { listLines } from './field-lines.ts';

interface Expecting {
  readonly expect?: readonly Expectation[];
}

export function expectLines(was: Expecting, is: Expecting): ChangeLine[] {
  return listLines(named(was), named(is), {
    what: 'expectation',
    show: ({ onFail }) => onFail,
    kind: kindOf,
    differences: (one, other, title) =>
      becomes(kindOf(one) === 'meaning' ? 'meaning' : kindOf(other), title, one.onFail, other.onFail),
  });
}

const kindOf = ({ onFail }: { readonly onFail: string }): LineKind =>
  onFail.includes('quarantine') ? 'meaning' : 'about';

/** A rule that stands there with several severities is one line. */
function named({ expect = [] }: Expecting): { readonly name: string; readonly onFail: string }[] {
  const rules = new Map<string, string[]>();
  for (const rule of expect) {
    const name = showRule(rule);
    rules.set(name, [...(rules.get(name) ?? []), rule.onFail]);
  }
  return [...rules].map(([name, all]) => ({ name, onFail: [...new Set(all)].sort().join(', ') }));
}
