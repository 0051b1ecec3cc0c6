// `npm test`, `npm run test:full`, `npm run test:heavy`, `npm run test:interop`: brings the programs that a tier's tests run on
// where it can, runs the tests, names what it skipped and why, and ends with the plain line `N passed, N failed`, and
// `, N skipped` where some were. `npm test -- --help` shows what it takes.

import { parseArgs } from 'node:util';
import { chooseAffected, isQuick } from './test/affected/choose-tests.ts';
import { isRecordFresh, keepRecord, newRecord } from './test/affected/executed-record.ts';
import { bringLake } from './test/bring-lake.ts';
import { bringPrograms } from './test/bring-programs.ts';
import { judgeRun } from './test/judge-run.ts';
import { runVitest } from './test/run-vitest.ts';
import { writeCosts } from './test/test-costs.ts';
import { countResults, slowestFiles } from './test/test-run-report.ts';

const HELP = `Usage: npm test [-- OPTIONS] [FILE…]          every behaviour once: what .ci/run runs
       npm run test:full [-- OPTIONS] [FILE…]  all adapters, all faults, properties at full size
       npm run test:heavy, npm run test:interop [-- --smoke]

  FILE…            only these test files, or those whose path contains the text
  --affected       only the tests that executed what changed in the last whole run, the nearest first, for 60 seconds
  --all            with --affected: no limit of time
  --since REF      with --affected: what changed since this commit or branch; default HEAD, what is not committed
  --shard N/M      part N of M parts that take about as long
  --record         record anew which test executed what, for --affected; a whole run does so once a day by itself
  --profile        keep what each file cost in test/costs.tsv: on a machine that does nothing else
  --smoke          with test:interop: one short path of each client
  --bring-only     bring the programs that the tests run on, and run nothing
  -t PATTERN       only tests whose name matches

Examples: npm test -- test/unit/core-time.test.ts
          npm test -- --affected
          npm run test:full -- --shard 2/4`;

const AFFECTED_LIMIT_MS = 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean' },
    heavy: { type: 'boolean' },
    interop: { type: 'boolean' },
    smoke: { type: 'boolean' },
    affected: { type: 'boolean' },
    all: { type: 'boolean' },
    since: { type: 'string', default: 'HEAD' },
    shard: { type: 'string' },
    profile: { type: 'boolean' },
    record: { type: 'boolean' },
    'bring-only': { type: 'boolean' },
    bail: { type: 'string' },
    testNamePattern: { type: 'string', short: 't' },
    help: { type: 'boolean' },
  },
});
if (options.help === true) {
  console.log(HELP);
  process.exit(0);
}

const isNamedFull = positionals.some((file) => file.includes('.full.test'));
const tier =
  (['smoke', 'full', 'heavy', 'interop'] as const).find((name) => options[name]) ?? (isNamedFull ? 'full' : 'quick');

let files = positionals;
if (options.affected === true) {
  const choice = chooseAffected(options.since);
  files = choice.files.filter((file) => belongsTo(file));
  console.log(
    `${choice.changed.length} files changed since ${options.since}; ${files.length} test files ` +
      (choice.hasRecord
        ? 'executed what changed, or import it.'
        : 'import them (no whole run of `npm test` is on record).'),
  );
  if (files.length === 0) {
    console.log('0 passed, 0 failed');
    process.exit(0);
  }
} else {
  bringPrograms(tier);
  bringLake(tier);
}
if (options['bring-only'] === true) process.exit(0);

const isWhole = files.length === 0 && options.shard === undefined && options.testNamePattern === undefined;
// Nobody changes code where CI runs.
const isRecorded = isWhole && tier === 'quick' && process.env['CI'] === undefined;
const record = isRecorded && (options.record === true || !isRecordFresh()) ? newRecord() : undefined;
const { code, report, skips } = await runVitest({
  tier,
  files,
  isOrdered: options.affected === true,
  limitMs: options.affected === true && options.all !== true ? AFFECTED_LIMIT_MS : undefined,
  record,
  words: (['shard', 'bail', 'testNamePattern'] as const).flatMap((name) =>
    options[name] === undefined ? [] : [`--${name}=${options[name]}`],
  ),
});
if (record !== undefined && report !== undefined) keepRecord(record);
if (options.profile === true && report !== undefined)
  writeCosts(new Map(report.files.map((one) => [one.file, { ...one, tests: one.tests.length }])));

const counts = countResults(report);
if (skips.length > 0 || counts.skipped > 0) {
  console.log('\nSkipped:');
  for (const reason of skips) console.log(`  - ${reason}`);
  for (const name of counts.skippedNames) console.log(`  - ${name}`);
}
if (report !== undefined && report.files.length > 1) {
  console.log('\nThe files that took longest:');
  for (const line of slowestFiles(report)) console.log(line);
}
if (report !== undefined && options.affected === true) {
  const ran = new Set(report.files.map((one) => one.file));
  const left = files.filter((file) => !ran.has(file));
  if (left.length > 0) {
    console.log(`\nLeft out after ${AFFECTED_LIMIT_MS / 1000} s (\`npm test -- --affected --all\` goes on):`);
    for (const file of left) console.log(`  - ${file}`);
  }
}
// A run that dies before it can report (a crashed worker) is a failure of its own; one that was cut for time is not.
const isBroken = code !== 0 && counts.failed === 0 && report?.isCut !== true;
const failed = counts.failed + (isBroken ? 1 : 0);
const { exitCode, notice } = judgeRun({ tier, counts: { ...counts, failed }, skips });
if (notice !== undefined) console.log(`\n!! ${notice}`);
console.log(`${counts.passed} passed, ${failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`);
process.exitCode = exitCode;

function belongsTo(file: string): boolean {
  return isQuick(file) || (tier === 'full' && file.endsWith('.full.test.ts'));
}
