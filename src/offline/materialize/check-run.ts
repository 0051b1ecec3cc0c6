// A run's facts held to what is expected of its source, and its keys to what is expected of the view, before anything is
// written. A full run looks at every fact's values, an incremental one at those that came since.

import type { Finding } from '../../checks/index.ts';
import type { Micros } from '../../core/index.ts';
import { type Expectation, showRule } from '../../definitions/index.ts';
import { checkCount, checkFacts, checkFresh } from '../checks/check-facts.ts';
import type { Changes } from './changes.ts';
import type { RunScope } from './run-scope.ts';
import { countKeys, type TouchedKeys } from './touched-keys.ts';

export interface RunCheck {
  readonly now: Micros;
  readonly boundary: Micros;
  /** What came since the run that this one builds on; null where every fact is looked at. */
  readonly changes: Changes | null;
  /** Whether every key is written. */
  readonly isFull: boolean;
  readonly newestMicros: Micros | null;
  readonly touched: TouchedKeys;
}

export async function checkRun(scope: RunScope, check: RunCheck): Promise<Finding[]> {
  const { connection, codec, facts } = scope;
  const { now, newestMicros, changes, boundary } = check;
  const rows = changes === null ? undefined : newRows(scope, changes, boundary);
  const ofSource = await checkFacts(connection, facts, { now, newestMicros, ...(rows !== undefined && { rows }) });
  const ofView: Finding[] = [];
  for (const rule of codec.view.expect ?? []) {
    const told = { of: `view "${codec.view.name}"`, rule: showRule(rule), onFail: rule.onFail };
    if (rule.rule === 'fresh') ofView.push({ ...told, ...checkFresh(rule, newestMicros, now) });
    // How many keys there are is known where all are written.
    if (rule.rule === 'rowCount' && check.isFull) {
      ofView.push({ ...told, ...checkCount(rule, await countKeys(scope, check.touched), 'key') });
    }
  }
  return [...ofSource, ...ofView];
}

/** The facts that came since: of new files those up to the boundary, of new cuts those past it. */
function newRows({ facts }: RunScope, { files, log }: Changes, boundary: Micros): readonly string[] {
  const isWhole = facts.source.pushes === 'keep' || !Number.isFinite(boundary);
  const upTo = isWhole ? 'true' : `coalesce(__hr_event <= ${boundary}, true)`;
  const past = isWhole ? 'true' : `coalesce(__hr_event > ${boundary}, true)`;
  return [
    ...(files.length === 0 ? [] : [`(FROM ${facts.fileRows(files)} WHERE ${upTo})`]),
    ...(log.rows === 0 ? [] : [`(FROM ${log.relation} WHERE ${past})`]),
  ];
}

/** Where a run has nothing to do: what time alone breaks. `newestMicros`: of the run that stands. */
export function checkStanding({ codec }: Pick<RunScope, 'codec'>, newestMicros: Micros | null, now: Micros): Finding[] {
  const check = (of: string, expected: readonly Expectation[] = []): Finding[] =>
    expected.flatMap((rule) =>
      rule.rule === 'fresh'
        ? [{ of, rule: showRule(rule), onFail: rule.onFail, ...checkFresh(rule, newestMicros, now) }]
        : [],
    );
  const { source, view } = codec;
  return [...check(`source "${source.name}"`, source.expect), ...check(`view "${view.name}"`, view.expect)];
}
