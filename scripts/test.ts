// `npm test`: brings Redis and Postgres where it can, runs every quick suite, names what it skipped and why,
// and ends with the plain line `N passed, N failed`, and `, N skipped` where some were. With --heavy (`npm run test:heavy`):
// the suites of test/heavy, at full size; with --interop (`npm run test:interop`): those of test/interop, with other people's
// clients. With --bring-only it runs none of them: what they want can come beside something else.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bringLake } from './test/bring-lake.ts';
import { bringPrograms } from './test/bring-programs.ts';
import { countResults, type VitestReport } from './test/count-results.ts';
import { judgeRun } from './test/judge-run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const tier = ['heavy', 'interop'].find((name) => process.argv.includes(`--${name}`)) ?? 'quick';
bringPrograms(tier);
bringLake(tier);
if (process.argv.includes('--bring-only')) process.exit(0);

const scratch = mkdtempSync(join(tmpdir(), 'headrace-test-'));
const reportFile = join(scratch, 'report.json');
const skipsFile = join(scratch, 'skips.txt');

const given = process.argv.slice(2).filter((argument) => argument !== `--${tier}`);
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const run = spawnSync(
  process.execPath,
  [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`, ...given],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, HEADRACE_SKIPS_FILE: skipsFile, HEADRACE_TEST_TIER: tier },
  },
);

const report = existsSync(reportFile) ? (JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport) : undefined;
const skips = existsSync(skipsFile) ? [...new Set(readFileSync(skipsFile, 'utf8').split('\n').filter(Boolean))] : [];
rmSync(scratch, { recursive: true, force: true });

const counts = countResults(report);
if (skips.length > 0 || counts.skipped > 0) {
  console.log('\nSkipped:');
  for (const reason of skips) console.log(`  - ${reason}`);
  for (const name of counts.skippedNames) console.log(`  - ${name}`);
}
const exitedWell = run.status === 0;
// A run that dies before it can report (a crashed worker, a suite that does not load) is a failure of its own.
const failed = counts.failed + (!exitedWell && counts.failed === 0 ? 1 : 0);
const { exitCode, told } = judgeRun({ tier, counts: { ...counts, failed }, skips });
if (told !== undefined) console.log(`\n!! ${told}`);
console.log(`${counts.passed} passed, ${failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`);
process.exitCode = exitCode;
