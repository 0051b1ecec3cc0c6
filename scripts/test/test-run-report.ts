// What a run of Vitest gave, as `file-report.ts` writes it, and what is counted and shown of it.

export interface TestRunReport {
  readonly files: readonly FileResult[];
  /** Errors outside of any test. */
  readonly errors: number;
  /** Whether it was ended before all files had run. */
  readonly isCut: boolean;
  /** Whether it was ended since no test had reported for too long. */
  readonly isHung: boolean;
}

/** Times in seconds: by the wall clock, of CPU in the test's process and in the programs that it started, of its import. */
export interface FileResult {
  readonly file: string;
  readonly state: string;
  readonly seconds: number;
  readonly cpu: number;
  readonly children: number;
  readonly import: number;
  /** How many programs of each name it started. */
  readonly started: Readonly<Record<string, number>>;
  readonly tests: readonly { readonly name: string; readonly state: string; readonly seconds: number }[];
  /** Where the run was ended since nothing reported: what the file was at when Vitest last heard of it, some 0.1 s before it hung. */
  readonly hungAt?: string;
  /** Whether the limit of time came before all its tests had run; `tests` are those that did. */
  readonly isCutShort?: boolean;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skippedNames: readonly string[];
}

/** A file that did not load, or that left something behind, is one failure, as is an error outside of any test. */
export function countResults(report: TestRunReport | undefined): Counts {
  const counts = { passed: 0, failed: report?.errors ?? 0, skipped: 0 };
  const skippedNames: string[] = [];
  for (const { file, state, tests } of report?.files ?? []) {
    if (state === 'failed' && !tests.some((test) => test.state === 'failed')) counts.failed++;
    for (const test of tests) {
      if (test.state === 'passed') counts.passed++;
      else if (test.state === 'failed') counts.failed++;
      else {
        counts.skipped++;
        skippedNames.push(`${file} > ${test.name}`);
      }
    }
  }
  return { ...counts, skippedNames };
}

/** Of the files that were to run, those that did not run, or not to their end. */
export function leftOut(report: TestRunReport, files: readonly string[]): string[] {
  const whole = new Set(report.files.filter((one) => one.isCutShort !== true).map((one) => one.file));
  return files.filter((file) => !whole.has(file));
}

/** Why a run's record of what was executed is of no use; undefined for one that ended green. */
export function failureOf(code: number | null, report: TestRunReport | undefined): string | undefined {
  if (report === undefined) return 'the run did not end';
  if (report.isCut) return 'the run was cut';
  return code === 0 && countResults(report).failed === 0 ? undefined : 'the run failed';
}

/** The `most` files that took longest, a line each, and what they spent the time on. */
export function slowestFiles({ files }: TestRunReport, most = 10): string[] {
  return [...files]
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, most)
    .map((one) => {
      const waited = Math.max(0, one.seconds - one.cpu - one.children);
      const started = Object.entries(one.started).map(([name, times]) => (times > 1 ? `${times} × ${name}` : name));
      const slowest = one.tests.reduce<FileResult['tests'][number] | undefined>(
        (most, test) => (most === undefined || test.seconds > most.seconds ? test : most),
        undefined,
      );
      return [
        `${one.seconds.toFixed(1).padStart(6)} s  ${one.file}`,
        `(CPU ${one.cpu.toFixed(1)}, of programs that ended ${one.children.toFixed(1)}, waiting ${waited.toFixed(1)};`,
        `started ${started.length === 0 ? 'nothing' : started.join(', ')};`,
        `longest ${(slowest?.seconds ?? 0).toFixed(1)} s: ${slowest?.name ?? 'none'})`,
      ].join(' ');
    });
}
