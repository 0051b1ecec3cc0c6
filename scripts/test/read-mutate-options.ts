// The options of `npm run mutate`, and the faults of the file that it is given.

import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { didYouMean } from '../../src/core/suggest.ts';
import { readWords } from './read-words.ts';
import { root } from './root.ts';

export const HELP = `Usage: npm run mutate [-- OPTIONS] [FOLDER…]

Plants faults drawn at random from the code of the folders (default: each of src), one at a time, only what still compiles,
and runs the tests that each affects, the nearest first, until one fails (INVALID: without the fault, too). \`npm test\` records what is affected.

  --sample N     how many faults, as many from each folder; default 40
  --seed N       draws others; default 1
  --faults FILE  the faults of a file instead: [{ "id", "file", "find", "replace" }], as test/faults.json
  --limit S      seconds for one fault; what is neither caught nor through by then counts as not caught; default 300

Example: npm run mutate -- src/core src/ingestion --sample 40 --seed 1`;

const OPTIONS = {
  sample: { type: 'string' },
  seed: { type: 'string' },
  faults: { type: 'string' },
  limit: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const START = 'npm run mutate --';
const EXAMPLES = {
  sample: '--sample 40 src/core',
  seed: '--seed 1 src/core',
  limit: '--limit 300 src/core',
  faults: '--faults test/faults.json',
};

/** More would be days; a timer takes a thousand times this. */
const MOST = 1_000_000;

export interface MutateOptions {
  /** Folders of src, by their paths below the project. */
  readonly folders: readonly string[];
  readonly sample: number;
  readonly seed: number;
  readonly limitMs: number;
  readonly faults: readonly ListedFault[] | undefined;
}

const FIELDS = ['id', 'file', 'find', 'replace'] as const;

/** A fault of a file: the text `find` of `file` becomes `replace`. */
export type ListedFault = Readonly<Record<(typeof FIELDS)[number], string>>;

/** `problem` is a line that says what is wrong with `words`. */
export function readMutateOptions(
  words: readonly string[],
  project: string = root,
): { readonly options: MutateOptions } | { readonly problem: string } | 'help' {
  const read = readWords(words, { start: START, options: OPTIONS, examples: EXAMPLES });
  if ('problem' in read) return read;
  const { given, positionals } = read;
  if (given.help === true) return 'help';
  const { sample = '40', seed = '1', limit = '300' } = given;
  const folders = positionals.map((folder) => relative(project, resolve(project, folder)));
  const listed = given.faults === undefined ? undefined : readFaults(given.faults, project);
  const problem =
    Object.entries({ sample, seed, limit }).map(problemOfNumber).find(Boolean) ??
    folders.map((folder) => problemOfFolder(folder, project)).find(Boolean) ??
    (typeof listed === 'string' ? `--faults got "${given.faults}", ${listed}: ${START} ${EXAMPLES.faults}` : undefined);
  if (problem !== undefined) return { problem };
  if (listed !== undefined && folders.length > 0)
    return { problem: `--faults names the files itself, but got "${folders[0]}": ${START} ${EXAMPLES.faults}` };
  return {
    options: {
      folders: folders.length > 0 ? folders : globSync('src/*/', { cwd: project }).sort(),
      sample: Number(sample),
      seed: Number(seed),
      limitMs: Number(limit) * 1000,
      // A text is a problem.
      faults: listed as readonly ListedFault[] | undefined,
    },
  };
}

function problemOfNumber([name, value]: [name: string, value: string]): string | undefined {
  if (/^[1-9]\d*$/.test(value) && Number(value) <= MOST) return undefined;
  const example = EXAMPLES[name as keyof typeof EXAMPLES]; // the names are those of options that take a number
  return `--${name} got "${value}", but takes a whole number from 1 to ${MOST}: ${START} ${example}`;
}

function problemOfFolder(folder: string, project: string): string | undefined {
  const known = globSync('src/**/', { cwd: project }).map((one) => one.replace(/\/$/, ''));
  if (known.includes(folder)) return undefined;
  return `There is no folder "${folder}" in src.${didYouMean(folder, known)} Give folders of sources: ${START} src/core`;
}

/** What the file holds, or what is wrong with it. */
function readFaults(path: string, project: string): readonly ListedFault[] | string {
  const shape = `but takes a JSON file of [{ ${FIELDS.map((field) => `"${field}"`).join(', ')} }], all texts`;
  let all: unknown;
  try {
    all = JSON.parse(readFileSync(resolve(project, path), 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : String(error);
    return `which can't be read (${reason}), ${shape}`;
  }
  if (!Array.isArray(all) || all.length === 0) return `which holds no array with a fault, ${shape}`;
  for (const [index, fault] of (all as unknown[]).entries()) {
    const lacking = FIELDS.find((field) => typeof (fault as Partial<ListedFault> | null)?.[field] !== 'string');
    if (lacking !== undefined) return `whose fault ${index + 1} has no text "${lacking}", ${shape}`;
  }
  const faults = all as readonly ListedFault[]; // by the checks above
  const lost = faults.find(({ file }) => !isFile(join(project, file)));
  if (lost !== undefined)
    return `whose fault ${lost.id} is in "${lost.file}", but there is no such file here; mend its "file", or leave it out`;
  return faults;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
