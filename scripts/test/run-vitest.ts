// Vitest as a program, on the project or on a copy of it; what it gave is read from the file that our reporter writes.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './root.ts';
import type { TestRunReport } from './test-run-report.ts';

export interface VitestRun {
  readonly tier: string;
  /** Test files, or texts that their paths contain; all of the tier without any. */
  readonly files: readonly string[];
  /** Options of Vitest's own. */
  readonly words?: readonly string[];
  /** Whether `files` run in the order given, not the dearest first. */
  readonly isOrdered?: boolean;
  /** No file begins after this. */
  readonly limitMs?: number | undefined;
  /** The run and what it started are killed after this; its report is undefined then. */
  readonly killMs?: number;
  /** The folder that takes the record of what was executed. */
  readonly record?: string | undefined;
  /** A copy of the project; default the project. */
  readonly project?: string;
  readonly isSilent?: boolean;
}

export interface VitestEnd {
  readonly code: number | null;
  /** Undefined where it died before it could report. */
  readonly report: TestRunReport | undefined;
  /** The reasons that suites gave for not running here. */
  readonly skips: readonly string[];
}

export async function runVitest(run: VitestRun): Promise<VitestEnd> {
  const { files, words = [], project = root, isSilent = false } = run;
  const scratch = mkdtempSync(join(tmpdir(), 'headrace-test-'));
  const [reportFile, skipsFile] = [join(scratch, 'report.json'), join(scratch, 'skips.txt')];
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = [...(isSilent ? [] : ['default']), './scripts/test/file-report.ts'];
  const child = spawn(
    process.execPath,
    [vitest, 'run', ...reporters.map((name) => `--reporter=${name}`), ...words, ...files],
    {
      cwd: project,
      stdio: isSilent ? 'ignore' : ['ignore', 'inherit', 'inherit'],
      // A group of its own, so that what it started ends with it.
      detached: run.killMs !== undefined,
      env: {
        ...process.env,
        HEADRACE_SKIPS_FILE: skipsFile,
        HEADRACE_TEST_TIER: run.tier,
        HEADRACE_TEST_REPORT: reportFile,
        ...(run.isOrdered === true ? { HEADRACE_TEST_ORDER: files.join('\n') } : {}),
        ...(run.limitMs === undefined ? {} : { HEADRACE_TEST_LIMIT_MS: String(run.limitMs) }),
        ...(run.record === undefined ? {} : { HEADRACE_TEST_RECORD: run.record }),
      },
    },
  );
  const kill = (): void => void process.kill(-(child.pid ?? 0), 'SIGKILL');
  const timer = run.killMs === undefined ? undefined : setTimeout(kill, run.killMs);
  const code = await new Promise<number | null>((done) => child.once('exit', (status) => done(status)));
  clearTimeout(timer);
  const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
  const report = read(reportFile);
  const skips = [...new Set(read(skipsFile)?.split('\n').filter(Boolean))];
  rmSync(scratch, { recursive: true, force: true });
  return { code, report: report === undefined ? undefined : (JSON.parse(report) as TestRunReport), skips };
}
