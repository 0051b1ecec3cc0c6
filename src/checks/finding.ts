// What came of a rule that was looked at over many rows: how many broke it, and what is done about that.

import { counted, HeadraceError } from '../core/index.ts';
import type { OnFail } from '../definitions/index.ts';

/** Of one rule. */
export interface Finding {
  /** `source "sales"`, `view "delays"`. */
  readonly of: string;
  readonly rule: string;
  readonly onFail: OnFail;
  /** Rows, keys or values that broke it; of a rule of all rows together (`fresh`, `rowCount`) 1 where it is broken. */
  readonly failed: number;
  /** What was found instead: of rows an example (`such as 500`), of all together a sentence (`there are 4 rows`). */
  readonly found: string | null;
}

const SUCH_AS = 'such as ';

/** An example of what broke a rule; null for none. */
export function suchAs(example: string | null): string | null {
  return example === null ? null : `${SUCH_AS}${example}`;
}

export function broken(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ failed }) => failed > 0);
}

/** Throws HR_EXPECTATION where a broken rule says `fail`, with every such rule. `what` was not done: `the view is not materialized`. */
export function throwIfRefused(findings: readonly Finding[], what: string): void {
  const refused = broken(findings).filter(({ onFail }) => onFail === 'fail');
  if (refused.length === 0) return;
  const details = refused.map((one) => ({ path: one.of, message: `${one.rule}: ${describeFinding(one)}` }));
  const told = details.map(({ path, message }) => `${path}: ${message}`).join('; ');
  throw new HeadraceError(
    'HR_EXPECTATION',
    `${told}. With onFail: 'fail' ${what}. Correct the data, or loosen the rule.`,
    { details },
  );
}

/** `3 rows break it, such as 99999`; `there are 4 rows`. */
export function describeFinding({ failed, found }: Finding): string {
  if (found !== null && !found.startsWith(SUCH_AS)) return found;
  const example = found === null ? '' : `, ${found}`;
  return `${counted(failed, 'row')} ${failed === 1 ? 'breaks' : 'break'} it${example}`;
}
