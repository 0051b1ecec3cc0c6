// Which test files a change touches, the nearest first: those that executed a function that changed, by the record of the last
// whole run; where that can't tell, those that import the file that changed.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { askGit } from '../git.ts';
import { root } from '../root.ts';
import { type ExecutedRecord, readRecord } from './executed-record.ts';
import { type ImportGraph, readImportGraph } from './import-graph.ts';

export interface Choice {
  /** Test files of the tier, nearest first. */
  readonly files: readonly string[];
  readonly since: string;
  readonly changed: readonly string[];
  /** Paths of code that changed and that no test of the tier is known for. */
  readonly untested: readonly string[];
  /** When the whole run ended that they were chosen by, in milliseconds since 1970; undefined without one. */
  readonly recordedAt: number | undefined;
}

/** `since` is a commit or branch; what has not been committed counts always. `isOfTier` says which test files can run. */
export function chooseAffected(since: string, isOfTier: (test: string) => boolean, project: string = root): Choice {
  const changed = changedFiles(since, project);
  const record = readRecord(project);
  const versions = (file: string): (string | undefined)[] => [inTree(file, project), atCommit(since, file, project)];
  const found = testsOf(changed, readImportGraph(project), record, versions);
  const exists = (test: string): boolean => existsSync(join(project, test));
  const isUntested = (file: string): boolean => {
    if (file.endsWith('.md')) return false;
    const isGoneTest = file.endsWith('.test.ts') && !existsSync(join(project, file));
    return !isGoneTest && ![...(found.get(file)?.keys() ?? [])].some((test) => isOfTier(test) && exists(test));
  };
  return {
    files: nearestFirst(found.values(), record).filter((test) => isOfTier(test) && exists(test)),
    since,
    changed,
    untested: changed.filter(isUntested),
    recordedAt: record?.recordedAt,
  };
}

/** `changed` are paths below `project`, a folder of the project or a copy of it. */
export function chooseFor(
  changed: readonly string[],
  graph: ImportGraph,
  record: ExecutedRecord | undefined,
  project: string = root,
): readonly string[] {
  const found = testsOf(changed, graph, record, (file) => [inTree(file, project)]);
  return nearestFirst(found.values(), record).filter((test) => existsSync(join(project, test)));
}

/** Further than any import chain: a test that reaches the file through a program alone, or a line that is no import. */
const FAR = 1_000;

type Distances = ReadonlyMap<string, number>;

/** For each path, its tests and how far each lies from it. */
function testsOf(
  changed: readonly string[],
  graph: ImportGraph,
  record: ExecutedRecord | undefined,
  versions: (file: string) => readonly (string | undefined)[],
): ReadonlyMap<string, Distances> {
  return new Map(
    changed.map((file) => {
      const importers = graph.distances(file);
      const executors = file.startsWith('src/') ? record?.executors(file, versions(file)) : undefined;
      if (executors === undefined || record === undefined) return [file, importers];
      // What a group is said to have executed may have been another file of it. A test that the record doesn't know may be new.
      const tests = [...executors.tests].filter((test) => importers.has(test) || !record.shared.has(test));
      const isByImport = executors.isByImport || tests.length === 0;
      const others = [...importers.keys()].filter((test) => isByImport || !record.sizes.has(test));
      return [file, new Map([...tests, ...others].map((test) => [test, importers.get(test) ?? FAR]))];
    }),
  );
}

/** Of two as near, the one that executes less is more about the change, and quicker. */
function nearestFirst(found: Iterable<Distances>, record: ExecutedRecord | undefined): string[] {
  const nearest = new Map<string, number>();
  for (const distances of found)
    for (const [test, distance] of distances)
      nearest.set(test, Math.min(distance, nearest.get(test) ?? Number.POSITIVE_INFINITY));
  const size = (test: string): number => record?.sizes.get(test) ?? 0;
  return [...nearest]
    .sort(([a, near], [b, far]) => near - far || size(a) - size(b) || a.localeCompare(b))
    .map(([test]) => test);
}

/** What was chosen and why, for a person. */
export function describeChoice({ files, since, changed, recordedAt }: Choice, now: number = Date.now()): string {
  if (changed.length === 0) return `Nothing changed since ${since}.`;
  if (changed.every((file) => file.endsWith('.md')) && files.length === 0)
    return `Only documents changed since ${since}: ${changed.join(', ')}. \`npm run check\` and \`npm test\` look at those.`;
  const by =
    recordedAt === undefined
      ? 'import what changed (no whole run of `npm test` is on record).'
      : `executed what changed (recorded ${age(now - recordedAt)}), or import it.`;
  return `${count(changed.length, 'file')} changed since ${since}; ${count(files.length, 'test file')} ${by}`;
}

/** Undefined where each path has a test. */
export function describeUntested({ untested, files }: Choice): string | undefined {
  if (untested.length === 0) return undefined;
  const others = files.length > 0 ? '' : ' Nothing was tested.';
  return `No test is known for: ${untested.join(', ')}.${others} \`npm test\` runs all.`;
}

function age(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  if (minutes < 90) return `${count(minutes, 'minute')} ago`;
  const hours = Math.round(minutes / 60);
  return hours < 36 ? `${count(hours, 'hour')} ago` : `${count(Math.round(hours / 24), 'day')} ago`;
}

function count(many: number, noun: string): string {
  return `${many} ${noun}${many === 1 ? '' : 's'}`;
}

function changedFiles(since: string, project: string): string[] {
  // Without renames, the old name of a file that moved is named too: its importers may still ask for it.
  return [
    ...new Set([
      ...git(project, 'diff', '--name-only', '--no-renames', '--relative', '-z', since, '--'),
      ...git(project, 'ls-files', '--others', '--exclude-standard', '-z'),
    ]),
  ];
}

function git(project: string, ...words: string[]): string[] {
  const { stdout, status, stderr } = askGit(project, words);
  if (status !== 0) throw new Error(`git ${words.join(' ')} failed: ${stderr}`);
  return stdout.split('\0').filter(Boolean);
}

function inTree(file: string, project: string): string | undefined {
  const path = join(project, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** Undefined where that commit didn't have the file. */
function atCommit(commit: string, file: string, project: string): string | undefined {
  const { stdout, status } = askGit(project, ['show', '--no-textconv', `${commit}:./${file}`]);
  return status === 0 ? stdout : undefined;
}
