// `npm test`, `npm run test:full`, `npm run test:heavy`, `npm run test:interop`: brings the programs that a tier's tests run on
// where it can, runs the tests, names what it skipped and why, and ends with the plain line `N passed, N failed`, and
// `, N skipped` where some were. `npm test -- --help` shows what it takes.

import { chooseAffected, describeChoice, describeUntested } from './test/affected/choose-tests.ts';
import { isRecordFresh, keepRecord, newRecord } from './test/affected/executed-record.ts';
import { bringLake } from './test/bring-lake.ts';
import { bringPrograms } from './test/bring-programs.ts';
import { judgeRun } from './test/judge-run.ts';
import { HELP, type Options, readOptions } from './test/read-options.ts';
import { runVitest } from './test/run-vitest.ts';
import { writeCosts } from './test/test-costs.ts';
import { countResults, failureOf, leftOut, slowestFiles } from './test/test-run-report.ts';
import { runsIn } from './test/tiers.ts';

const AFFECTED_LIMIT_MS = 60_000;

const read = readOptions(process.argv.slice(2));
if (read === 'help') console.log(HELP);
else if ('problem' in read) {
  console.error(read.problem);
  process.exitCode = 2;
} else process.exitCode = read.options.isAffected ? await runAffected(read.options) : await runTier(read.options);

async function runTier(options: Options): Promise<number> {
  bringPrograms(options.tier);
  bringLake(options.tier);
  return options.isBringOnly ? 0 : await run(options, options.files);
}

async function runAffected(options: Options): Promise<number> {
  const choice = chooseAffected(options.since, (test) => runsIn(test, options.tier));
  const untested = describeUntested(choice);
  console.log(describeChoice(choice));
  if (choice.files.length > 0) return await run(options, choice.files, untested);
  if (untested !== undefined) console.log(untested);
  console.log('0 passed, 0 failed');
  return untested === undefined ? 0 : 1;
}

/** Returns the exit status. `remark` is shown at the end. */
async function run(options: Options, files: readonly string[], remark?: string): Promise<number> {
  const { tier, isAffected, testNamePattern, words } = options;
  // Nobody changes code where CI runs.
  const isDue = options.isWhole && tier === 'quick' && process.env['CI'] === undefined && !isRecordFresh();
  const record = options.isRecorded || isDue ? newRecord() : undefined;
  const limitMs = isAffected && !options.isWithoutLimit ? AFFECTED_LIMIT_MS : undefined;
  const { code, report, skips } = await runVitest({ tier, files, isOrdered: isAffected, limitMs, record, words });
  const unrecorded = record === undefined ? undefined : keepRecord(record, failureOf(code, report));
  if (options.isProfiled && report !== undefined)
    writeCosts(new Map(report.files.map((one) => [one.file, { ...one, tests: one.tests.length }])));

  const counts = countResults(report);
  list('Skipped:', [...skips, ...counts.skippedNames]);
  if (report !== undefined && report.files.length > 1)
    console.log(['\nThe files that took longest:', ...slowestFiles(report)].join('\n'));
  if (report?.isHung === true)
    list(
      'No test reported for too long, so the run was ended. At work:',
      report.files.flatMap(({ file, hungAt }) => (hungAt === undefined ? [] : [`${file}, at or after ${hungAt}`])),
    );
  if (report?.isCut === true)
    list(
      `Left out after ${AFFECTED_LIMIT_MS / 1000} s (\`npm test -- --affected --all\` goes on):`,
      leftOut(report, files),
    );
  if (unrecorded !== undefined) console.log(`\nWhat the tests executed is not recorded: ${unrecorded}.`);
  if (remark !== undefined) console.log(`\n${remark}`);
  // A run that dies before it can report (a crashed worker) is a failure of its own; one that was cut for time is not.
  const isBroken = code !== 0 && counts.failed === 0 && report?.isCut !== true;
  // Vitest fails, too, where no test has the name: that is no crash, and is said.
  const isUnmatched = testNamePattern !== undefined && report !== undefined && counts.passed + counts.skipped === 0;
  const failed = counts.failed + (isBroken && !isUnmatched ? 1 : 0);
  const isCut = report?.isCut === true;
  const { exitCode, notice } = judgeRun({ tier, counts: { ...counts, failed }, skips, isCut, testNamePattern });
  if (notice !== undefined) console.log(`\n!! ${notice}`);
  console.log(`${counts.passed} passed, ${failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`);
  return exitCode;
}

function list(title: string, lines: readonly string[]): void {
  if (lines.length > 0) console.log(`\n${title}\n${lines.map((line) => `  - ${line}`).join('\n')}`);
}
