// What a test run comes to: its exit status, and a notice where no test ran.

import type { Counts } from './test-run-report.ts';

export interface TestRun {
  readonly tier: string;
  readonly counts: Pick<Counts, 'passed' | 'failed' | 'skipped'>;
  /** The reasons that suites gave for not running here. */
  readonly skips: readonly string[];
  /** Whether the limit of time ended it. */
  readonly isCut?: boolean;
  /** What the tests' names had to match. */
  readonly testNamePattern?: string | undefined;
}

/** Skipping all is right in one case: other people's clients that could not be installed, each of which says so. */
export function judgeRun({ tier, counts, skips, isCut = false, testNamePattern }: TestRun): {
  readonly exitCode: 0 | 1;
  readonly notice: string | undefined;
} {
  const { passed, failed, skipped } = counts;
  if (failed > 0) return { exitCode: 1, notice: undefined };
  if (passed > 0) return { exitCode: 0, notice: undefined };
  if ((tier === 'interop' || tier === 'smoke') && skipped > 0 && skips.length > 0)
    return { exitCode: 0, notice: 'NOTHING WAS TESTED: what the suites need could not be installed here.' };
  if (isCut)
    return {
      exitCode: 1,
      notice:
        'NOTHING WAS TESTED: the time was over before the first file had ended. ' +
        '`npm test -- --affected --all` has no limit of time.',
    };
  if (testNamePattern !== undefined && skipped === 0)
    return { exitCode: 1, notice: `NOTHING WAS TESTED: no test has a name that matches "${testNamePattern}".` };
  const why = skips.length > 0 ? 'for the reasons above' : 'and nobody said why';
  return { exitCode: 1, notice: `NOTHING WAS TESTED: no test ran, ${why}. That is a failure.` };
}
