import { describe, expect, it } from 'vitest';
import { judgeRun } from '../../scripts/test/judge-run.ts';

const counts = (passed: number, failed: number, skipped: number) => ({ passed, failed, skipped });

describe('a test run', () => {
  it('is well when something passed and nothing failed', () => {
    expect(judgeRun({ tier: 'quick', counts: counts(3, 0, 2), skips: [] })).toEqual({ exitCode: 0, notice: undefined });
    expect(judgeRun({ tier: 'quick', counts: counts(3, 1, 0), skips: [] })).toEqual({ exitCode: 1, notice: undefined });
  });

  it('that ran nothing is well only where other people’s clients could not be installed, and says so', () => {
    const skips = ['the page in a browser: there is no chromium'];
    const { exitCode, notice } = judgeRun({ tier: 'interop', counts: counts(0, 0, 2), skips });
    expect(exitCode).toBe(0);
    expect(notice).toContain('NOTHING WAS TESTED');
    const elsewhere = judgeRun({ tier: 'quick', counts: counts(0, 0, 2), skips });
    expect(elsewhere.exitCode).toBe(1);
    expect(elsewhere.notice).toBe('NOTHING WAS TESTED: no test ran, for the reasons above. That is a failure.');
  });

  it('that ran nothing for no reason fails', () => {
    expect(judgeRun({ tier: 'interop', counts: counts(0, 0, 2), skips: [] }).exitCode).toBe(1);
    expect(judgeRun({ tier: 'interop', counts: counts(0, 0, 0), skips: ['a browser'] }).exitCode).toBe(1);
    const silent = judgeRun({ tier: 'quick', counts: counts(0, 0, 0), skips: [] });
    expect(silent.exitCode).toBe(1);
    expect(silent.notice).toContain('nobody said why');
  });
});
