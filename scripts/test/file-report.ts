// A reporter of Vitest's: writes what each test file gave and cost to the file that HEADRACE_TEST_REPORT names, and ends the run
// after HEADRACE_TEST_LIMIT_MS, where that is set.

import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import type { FileCosts } from '../../test/support/each-file/measure-file.ts';
import type { FileResult, TestRunReport } from './test-run-report.ts';

export default class FileReport implements Reporter {
  readonly #path = process.env['HEADRACE_TEST_REPORT'] ?? '';
  readonly #begun = new Map<string, number>();
  readonly #files: FileResult[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isCut = false;
  #pattern: RegExp | undefined;

  onInit(vitest: Vitest): void {
    this.#pattern = vitest.config.testNamePattern;
    const limitMs = Number(process.env['HEADRACE_TEST_LIMIT_MS'] ?? 0);
    if (limitMs === 0) return;
    this.#timer = setTimeout(() => {
      this.#isCut = true;
      void vitest.cancelCurrentRun('keyboard-input');
    }, limitMs);
  }

  onTestModuleQueued(module: TestModule): void {
    this.#begun.set(module.moduleId, performance.now());
  }

  onTestModuleEnd(module: TestModule): void {
    const all = [...module.children.allTests()].map((test) => ({
      name: test.fullName,
      state: test.result().state,
      mode: test.options.mode,
      seconds: (test.diagnostic()?.duration ?? 0) / 1000,
    }));
    const { tests, isCutShort } = whatRan(all, this.#pattern, this.#isCut);
    // A file in which the limit of time came counts as one that did not run, unless it failed.
    if (isCutShort && module.state() !== 'failed') return;
    // Set by test/support/each-file.ts, last of all; absent where the file did not load.
    const costs = (module.meta() as { costs?: FileCosts }).costs;
    this.#files.push({
      file: module.relativeModuleId,
      state: module.state(),
      seconds: (performance.now() - (this.#begun.get(module.moduleId) ?? performance.now())) / 1000,
      cpu: (costs?.cpuMs ?? 0) / 1000,
      children: (costs?.childrenCpuMs ?? 0) / 1000,
      import: module.diagnostic().collectDuration / 1000,
      started: costs?.started ?? {},
      tests,
      isCutShort,
    });
  }

  onTestRunEnd(_modules: readonly TestModule[], errors: readonly unknown[]): void {
    clearTimeout(this.#timer);
    const report: TestRunReport = { files: this.#files, errors: errors.length, isCut: this.#isCut };
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
