// The options of `npm test` and its like: what they are, and which of them go together.

import { existsSync, globSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import { askGit } from './git.ts';
import { type Given as GivenOf, readWords } from './read-words.ts';
import { root } from './root.ts';
import { runsIn, type Tier } from './tiers.ts';

export const HELP = `Usage: npm test [-- OPTIONS] [FILE…]          every behaviour once: what .ci/run runs
       npm run test:full [-- OPTIONS] [FILE…]  all adapters, all faults, properties at full size
       npm run test:heavy, npm run test:interop [-- --smoke]

  FILE…            only these test files, or those whose path contains the text
  --affected       the tests that, in the last whole run on record, executed the code that you changed,
                   the nearest first, for 60 seconds
  --all            with --affected: no limit of time
  --since REF      with --affected: what changed since this commit or branch; default HEAD, what is not committed
  --shard N/M      part N of M parts that take about as long
  --record         record anew which test executed what, for --affected; a whole run does so once a day by itself
  --profile        keep what each file cost in test/costs.tsv: on a machine that does nothing else
  --smoke          with test:interop: one short path of each client
  --bring-only     bring the programs that the tests run on, and run nothing
  --bail N         stop after N failures
  -t PATTERN       only tests whose name matches
  -h, --help       this text

Examples: npm test -- test/unit/core-time.test.ts
          npm test -- --affected
          npm run test:full -- --shard 2/4`;

const OPTIONS = {
  full: { type: 'boolean' },
  heavy: { type: 'boolean' },
  interop: { type: 'boolean' },
  smoke: { type: 'boolean' },
  affected: { type: 'boolean' },
  all: { type: 'boolean' },
  since: { type: 'string' },
  shard: { type: 'string' },
  profile: { type: 'boolean' },
  record: { type: 'boolean' },
  'bring-only': { type: 'boolean' },
  bail: { type: 'string' },
  testNamePattern: { type: 'string', short: 't' },
  help: { type: 'boolean', short: 'h' },
} as const;

export interface Options {
  readonly tier: Tier;
  /** Test files, or texts that their paths contain. */
  readonly files: readonly string[];
  readonly isAffected: boolean;
  readonly isWithoutLimit: boolean;
  readonly since: string;
  readonly isProfiled: boolean;
  /** To record is asked for, even if there is a record of today. */
  readonly isRecorded: boolean;
  readonly isBringOnly: boolean;
  /** Whether all tests of the tier run. */
  readonly isWhole: boolean;
  readonly testNamePattern: string | undefined;
  /** The options that Vitest takes itself. */
  readonly words: readonly string[];
}

/** What `words`, a command's words, ask for; `problem` is a line that says what is wrong with them. */
export function readOptions(
  words: readonly string[],
  project: string = root,
): { readonly options: Options } | { readonly problem: string } | 'help' {
  const read = readWords(words, { start: 'npm test --', options: OPTIONS, examples: EXAMPLES });
  if ('problem' in read) return read;
  const { given, positionals } = read;
  if (given.help === true) return 'help';
  const problem = problemOfValues(given, project) ?? problemOfTogether(given, positionals);
  if (problem !== undefined) return { problem };

  const isNamedFull = positionals.some((file) => file.includes('.full.test'));
  const tier =
    (['smoke', 'full', 'heavy', 'interop'] as const).find((name) => given[name]) ?? (isNamedFull ? 'full' : 'quick');
  const files = positionals.map((file) => pathOf(file, project));
  const missing = files.map((file) => problemOfFile(file, tier, project)).find(Boolean);
  if (missing !== undefined) return { problem: missing };
  const { affected = false, shard, bail, testNamePattern } = given;
  const isWhole = !affected && [...files, shard, bail, testNamePattern].every((one) => one === undefined);
  if (given.record === true && (!isWhole || tier !== 'quick'))
    return {
      problem: '--record needs a whole run of `npm test`, without FILE and other options: npm test -- --record',
    };
  return {
    options: {
      tier,
      files,
      isAffected: affected,
      isWithoutLimit: given.all === true,
      since: given.since ?? 'HEAD',
      isProfiled: given.profile === true,
      isRecorded: given.record === true,
      isBringOnly: given['bring-only'] === true,
      isWhole,
      testNamePattern,
      words: Object.entries({ shard, bail, testNamePattern }).flatMap(([name, value]) =>
        value === undefined ? [] : [`--${name}=${value}`],
      ),
    },
  };
}

const EXAMPLES: Readonly<Record<string, string>> = {
  since: '--affected --since main',
  shard: '--shard 2/4',
  bail: '--bail 1',
  testNamePattern: "-t 'leap year'",
};

type Given = GivenOf<typeof OPTIONS>;

function problemOfValues(given: Given, project: string): string | undefined {
  const { shard, bail, since, testNamePattern } = given;
  const [, part = 0, parts = 0] = /^(\d+)\/(\d+)$/.exec(shard ?? '')?.map(Number) ?? [];
  if (shard !== undefined && (part < 1 || part > parts))
    return `--shard got "${shard}", but takes N/M, part N of M with N from 1 to M: npm test -- ${EXAMPLES['shard']}`;
  if (bail !== undefined && !/^[1-9]\d*$/.test(bail))
    return `--bail got "${bail}", but takes a number of failures from 1 on: npm test -- ${EXAMPLES['bail']}`;
  if (testNamePattern !== undefined && !isPattern(testNamePattern))
    return `-t got "${testNamePattern}", which is no regular expression: npm test -- ${EXAMPLES['testNamePattern']}`;
  if (since !== undefined && given.affected === true && !isCommit(since, project))
    return `--since got "${since}", which is no commit, branch or tag here: npm test -- ${EXAMPLES['since']}`;
  return undefined;
}

/** Options that need each other, or exclude each other. */
function problemOfTogether(given: Given, positionals: readonly string[]): string | undefined {
  const tiers = (['full', 'heavy', 'interop'] as const).filter((name) => given[name]);
  if (tiers.length > 1) return `A run is of one tier, but got --${tiers.join(' and --')}: npm run test:${tiers[0]}`;
  if (given.smoke === true && given.interop !== true)
    return '--smoke needs test:interop: npm run test:interop -- --smoke';
  if (given.affected !== true) {
    const needy = (['since', 'all'] as const).find((name) => given[name] !== undefined);
    return needy === undefined ? undefined : `--${needy} needs --affected: npm test -- ${NEEDY[needy]}`;
  }
  const other = (['shard', 'record', 'bring-only', 'heavy', 'interop'] as const).find((name) => given[name]);
  if (other !== undefined) return `--affected and --${other} don’t go together: npm test -- --affected`;
  if (positionals.length > 0)
    return `--affected chooses the files itself, but got "${positionals[0]}": npm test -- --affected, or npm test -- ${positionals[0]}`;
  return undefined;
}

const NEEDY = { since: EXAMPLES['since'], all: '--affected --all' };

function pathOf(file: string, project: string): string {
  const path = isAbsolute(file) ? file : join(project, file);
  return existsSync(path) ? relative(project, path) : file;
}

function problemOfFile(file: string, tier: Tier, project: string): string | undefined {
  const found = globSync('test/**/*.test.ts', { cwd: project }).filter((test) => test.includes(file));
  const example = 'npm test -- test/unit/core-time.test.ts';
  if (found.length === 0) return `No test file has "${file}" in its path: ${example}`;
  if (found.some((test) => runsIn(test, tier))) return undefined;
  const command = /^test\/(heavy|interop)\//.exec(found[0] ?? '')?.[1] ?? 'full';
  return `"${file}" is of another tier: npm run test:${command} -- ${file}`;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

function isCommit(name: string, project: string): boolean {
  const words = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
  return askGit(project, words).status === 0;
}
