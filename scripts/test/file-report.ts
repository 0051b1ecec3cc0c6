// A reporter of Vitest's: writes what each test file gave and cost to the file that HEADRACE_TEST_REPORT names. It ends the run
// after HEADRACE_TEST_LIMIT_MS, where that is set, and where no test reports for HEADRACE_TEST_SILENCE_MS: code that never yields
// is beyond the limits of Vitest, which are timers in the same thread.

import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import type { FileCosts } from '../../test/support/each-file/measure-file.ts';
import type { FileResult, TestRunReport } from './test-run-report.ts';

export default class FileReport implements Reporter {
  readonly #path = process.env['HEADRACE_TEST_REPORT'] ?? '';
  readonly #silenceMs = Number(process.env['HEADRACE_TEST_SILENCE_MS'] ?? 0);
  readonly #begun = new Map<string, number>();
  /** The files that began and have not ended. */
  readonly #atWork = new Map<string, TestModule>();
  readonly #files: FileResult[] = [];
  #timer: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #untilMs = 0;
  /** How long a test may take that does not say. */
  #testLimitMs = 0;
  #isCut = false;
  #pattern: RegExp | undefined;

  onInit(vitest: Vitest): void {
    this.#pattern = vitest.config.testNamePattern;
    this.#testLimitMs = vitest.config.testTimeout;
    const limitMs = Number(process.env['HEADRACE_TEST_LIMIT_MS'] ?? 0);
    if (limitMs === 0) return;
    this.#timer = setTimeout(() => {
      this.#isCut = true;
      void vitest.cancelCurrentRun('keyboard-input');
    }, limitMs);
  }

  onTestModuleQueued(module: TestModule): void {
    this.#begun.set(module.moduleId, performance.now());
    this.#atWork.set(module.moduleId, module);
    this.#listen();
  }

  onTestCaseReady(test: TestCase): void {
    const { timeout = 0 } = test.options;
    this.#listen(timeout > this.#testLimitMs ? timeout : 0);
  }

  onHookEnd(): void {
    this.#listen();
  }

  onTestCaseResult(): void {
    this.#listen();
  }

  onTestModuleEnd(module: TestModule): void {
    this.#atWork.delete(module.moduleId);
    this.#listen();
    const all = [...module.children.allTests()].map((test) => ({
      name: test.fullName,
      state: test.result().state,
      mode: test.options.mode,
      seconds: (test.diagnostic()?.duration ?? 0) / 1000,
    }));
    const { tests, isCutShort } = whatRan(all, this.#pattern, this.#isCut);
    // A file in which the limit of time came counts as one that did not run, unless it failed.
    if (isCutShort && module.state() !== 'failed') return;
    this.#files.push({ ...this.#resultOf(module, tests), isCutShort });
  }

  onTestRunEnd(_modules: readonly TestModule[], errors: readonly unknown[]): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#write({ errors: errors.length, isHung: false });
  }

  /** Something has reported: the silence begins anew, after `ownMs` where a test that begins may take longer than others. */
  #listen(ownMs = 0): void {
    if (this.#silenceMs === 0) return;
    // A file that reports says nothing of a long test in another.
    this.#untilMs = Math.max(this.#untilMs, performance.now() + ownMs + this.#silenceMs);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#giveUp(), this.#untilMs - performance.now());
  }

  #giveUp(): void {
    for (const module of this.#atWork.values()) {
      const tests = [...module.children.allTests()];
      const hungAt =
        tests.find((one) => one.result().state === 'pending')?.fullName ??
        (tests.length === 0 ? 'its loading' : 'its end');
      this.#files.push({ ...this.#resultOf(module, []), state: 'failed', hungAt });
    }
    this.#write({ errors: 0, isHung: true });
    // `run-vitest.ts` ends what it started.
    process.exit(1);
  }

  #resultOf(module: TestModule, tests: FileResult['tests']): FileResult {
    // Set by test/support/each-file.ts, last of all; absent where the file did not load.
    const costs = (module.meta() as { costs?: FileCosts }).costs;
    return {
      file: module.relativeModuleId,
      state: module.state(),
      seconds: (performance.now() - (this.#begun.get(module.moduleId) ?? performance.now())) / 1000,
      cpu: (costs?.cpuMs ?? 0) / 1000,
      children: (costs?.childrenCpuMs ?? 0) / 1000,
      import: module.diagnostic().collectDuration / 1000,
      started: costs?.started ?? {},
      tests,
    };
  }

  #write(end: Pick<TestRunReport, 'errors' | 'isHung'>): void {
    const report: TestRunReport = { files: this.#files, isCut: this.#isCut, ...end };
    if (this.#path !== '') writeFileSync(this.#path, JSON.stringify(report));
  }
}

export interface TestEnd {
  readonly name: string;
  readonly state: string;
  /** As its file says: `skip` and `todo` were not to run, `run` was. */
  readonly mode: string | undefined;
  readonly seconds: number;
}

/** The tests that were asked for and came to an end, and whether the limit of time, if it came, left others out. */
export function whatRan(
  all: readonly TestEnd[],
  pattern: RegExp | undefined,
  isCut: boolean,
): { readonly tests: FileResult['tests']; readonly isCutShort: boolean } {
  // Vitest matches the names of groups and test with spaces between.
  const asked = all.filter(
    (one) => one.state !== 'skipped' || pattern?.test(one.name.replaceAll(' > ', ' ')) !== false,
  );
  const isUnfinished = (one: TestEnd): boolean =>
    one.state === 'pending' || (one.state === 'skipped' && one.mode !== 'skip' && one.mode !== 'todo');
  const unfinished = isCut ? asked.filter(isUnfinished) : [];
  return {
    tests: asked
      .filter((one) => !unfinished.includes(one))
      .map(({ name, state, seconds }) => ({ name, state, seconds })),
    // A file that was to run and had no test yet had not been loaded.
    isCutShort: unfinished.length > 0 || (isCut && all.length === 0),
  };
}
