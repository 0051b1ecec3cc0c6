// Vitest as a program, on the project or on a copy of it; what it gave is read from the file that our reporter writes.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryFolder } from '../../test/support/memory-folder.ts';
import { removeLeftFolders } from '../../test/support/owned-folder.ts';
import { sendSignal } from '../../test/support/send-signal.ts';
import { root } from './root.ts';
import type { TestRunReport } from './test-run-report.ts';
import { TEST_LIMIT_MS, type Tier } from './tiers.ts';

export interface VitestRun {
  readonly tier: Tier;
  /** Test files, or texts that their paths contain; all of the tier without any. */
  readonly files: readonly string[];
  /** Options of Vitest's own. */
  readonly words?: readonly string[];
  /** Whether `files` run in the order given, not the dearest first. */
  readonly isOrdered?: boolean;
  /** No file begins after this. */
  readonly limitMs?: number | undefined;
  /** Where no test reports for longer, it is ended, with what it started; default a minute more than a test may take. */
  readonly silenceMs?: number;
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

/** How long a run that was asked to end may take, before it is killed. */
const GRACE_MS = 10_000;
/** How much longer than its limit a test may take to report. */
const SLACK_MS = 60_000;
/** The folder for the files of each run that goes on, by the id of its group of processes. */
const running = new Map<number, string>();
let isListening = false;
let signalled: NodeJS.Signals | undefined;

/** From now on a signal that ends this process ends what its runs started first, and removes their folders. */
export function endRunsOnSignal(): void {
  if (isListening) return;
  isListening = true;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void endRuns(signal));
  process.once('exit', () => {
    for (const group of running.keys()) sendSignal(-group, 'SIGKILL');
  });
}

async function endRuns(signal: NodeJS.Signals): Promise<void> {
  // A terminal and whoever started this both send it.
  if (signalled !== undefined) return;
  signalled = signal;
  await Promise.all([...running.keys()].map((group) => endGroup(group, signal)));
  for (const scratch of running.values()) rmSync(scratch, { recursive: true, force: true });
  if (running.size > 0) removeLeftFolders(memoryFolder(), 'headrace-run');
  process.exit(128 + constants.signals[signal]);
}

/** Vitest ends at once, without its teardown; servers end in their own time. */
async function endGroup(group: number, signal: NodeJS.Signals): Promise<void> {
  for (const [how, waitMs] of [
    [signal, GRACE_MS],
    ['SIGKILL', 1000],
  ] as const) {
    const limit = performance.now() + waitMs;
    for (let goesOn = sendSignal(-group, how); goesOn && performance.now() < limit; goesOn = sendSignal(-group, 0))
      await sleep(20);
  }
}

export async function runVitest(run: VitestRun): Promise<VitestEnd> {
  endRunsOnSignal();
  const { files, words = [], project = root, isSilent = false, silenceMs = TEST_LIMIT_MS[run.tier] + SLACK_MS } = run;
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
      detached: true,
      env: {
        ...process.env,
        HEADRACE_SKIPS_FILE: skipsFile,
        HEADRACE_TEST_TIER: run.tier,
        HEADRACE_TEST_REPORT: reportFile,
        HEADRACE_TEST_SILENCE_MS: String(silenceMs),
        ...(run.isOrdered === true ? { HEADRACE_TEST_ORDER: files.join('\n') } : {}),
        ...(run.limitMs === undefined ? {} : { HEADRACE_TEST_LIMIT_MS: String(run.limitMs) }),
        ...(run.record === undefined ? {} : { HEADRACE_TEST_RECORD: run.record }),
      },
    },
  );
  // None where it could not be started.
  const group = child.pid;
  if (group !== undefined) running.set(group, scratch);
  const code = await new Promise<number | null>((done, fail) => child.once('exit', done).once('error', fail));
  // `endRuns` waits for the others of its group, and exits.
  if (signalled !== undefined) await new Promise<never>(() => {});
  const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
  const written = read(reportFile);
  const report = written === undefined ? undefined : (JSON.parse(written) as TestRunReport);
  // It ended without its teardown: what it started, and its folders, are left.
  const isBroken = report === undefined || report.isHung;
  if (group !== undefined && isBroken) await endGroup(group, 'SIGTERM');
  if (group !== undefined) running.delete(group);
  const skips = [...new Set(read(skipsFile)?.split('\n').filter(Boolean))];
  rmSync(scratch, { recursive: true, force: true });
  if (isBroken) removeLeftFolders(memoryFolder(), 'headrace-run');
  return { code, report, skips };
}
