import { describe, expect, it } from 'vitest';
import { whatRan } from '../../scripts/test/file-report.ts';
import { judgeRun } from '../../scripts/test/judge-run.ts';
import { countResults, failureOf, leftOut, type TestRunReport } from '../../scripts/test/test-run-report.ts';

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

  it.each([
    [{ isCut: true }, 'the time was over before the first file had ended. `npm test -- --affected --all`'],
    [{ testNamePattern: 'leap' }, 'no test has a name that matches "leap"'],
  ])('that ran nothing says why: %o', (more, words) => {
    const { exitCode, notice } = judgeRun({ tier: 'quick', counts: counts(0, 0, 0), skips: [], ...more });
    expect(exitCode).toBe(1);
    expect(notice).toContain(words);
  });
});

const test = (name: string, state: string, mode = 'run') => ({ name, state, mode, seconds: 0 });
const report = (more: Partial<TestRunReport>): TestRunReport => ({
  files: [],
  errors: 0,
  isCut: false,
  isHung: false,
  ...more,
});

describe('what is shown of a run', () => {
  it.each([
    ['all of a whole run', [test('a', 'passed'), test('b', 'skipped')], undefined, false, ['a', 'b'], false],
    [
      'of a cut file what ran',
      [test('a', 'failed'), test('b', 'skipped'), test('c', 'pending')],
      undefined,
      true,
      ['a'],
      true,
    ],
    ['what is always skipped', [test('a', 'passed'), test('b', 'skipped', 'skip')], undefined, true, ['a', 'b'], false],
    ['no test of a file that had not been loaded', [], undefined, true, [], true],
    [
      'what matches the pattern',
      [test('a > b', 'passed'), test('c', 'skipped', 'skip')],
      /a b/,
      false,
      ['a > b'],
      false,
    ],
  ])('is %s', (_, all, pattern, isCut, names, isCutShort) => {
    const ran = whatRan(all, pattern, isCut);
    expect({ names: ran.tests.map(({ name }) => name), isCutShort: ran.isCutShort }).toEqual({ names, isCutShort });
  });

  it('is which files were left out, those cut in the middle too', () => {
    const file = { seconds: 0, cpu: 0, children: 0, import: 0, started: {} };
    const cut = report({
      files: [
        { ...file, state: 'failed', file: 'a', tests: [test('x', 'failed')], isCutShort: true },
        { ...file, state: 'passed', file: 'b', tests: [test('y', 'passed')] },
      ],
      isCut: true,
    });
    expect(leftOut(cut, ['a', 'b', 'c'])).toEqual(['a', 'c']);
    expect(countResults(cut)).toMatchObject({ passed: 1, failed: 1, skipped: 0 });
  });

  it.each([
    ['the run did not end', 1, undefined],
    ['the run was cut', 0, report({ isCut: true })],
    ['the run failed', 1, report({})],
    ['the run failed', 0, report({ errors: 1 })],
    [undefined, 0, report({})],
  ])('is %s', (reason, code, ended) => {
    expect(failureOf(code, ended)).toBe(reason);
  });
});
