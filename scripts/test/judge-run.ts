// What a test run comes to: its exit status, and a notice where no test ran.

import type { Counts } from './test-run-report.ts';

export interface TestRun {
  readonly tier: string;
  readonly counts: Pick<Counts, 'passed' | 'failed' | 'skipped'>;
  /** The reasons that suites gave for not running here. */
  readonly skips: readonly string[];
}

/** Skipping all is right in one case: other people's clients that could not be installed, each of which says so. */
export function judgeRun({ tier, counts: { passed, failed, skipped }, skips }: TestRun): {
  readonly exitCode: 0 | 1;
  readonly notice: string | undefined;
} {
  if (failed > 0) return { exitCode: 1, notice: undefined };
  if (passed > 0) return { exitCode: 0, notice: undefined };
  if ((tier === 'interop' || tier === 'smoke') && skipped > 0 && skips.length > 0)
    return { exitCode: 0, notice: 'NOTHING WAS TESTED: what the suites need could not be installed here.' };
  const why = skips.length > 0 ? 'for the reasons above' : 'and nobody said why';
  return { exitCode: 1, notice: `NOTHING WAS TESTED: no test ran, ${why}. That is a failure.` };
}
