// The record of the last whole run that made one: which functions of src each test file executed, and the sources as they were then. It lies
// beside other caches of node_modules, and is not in git.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Executed } from '../../../test/support/each-file/cover-sources.mjs';
import type { RecordedGroup } from '../../../test/support/each-file/record-executed.ts';
import { askGit } from '../git.ts';
import { root } from '../root.ts';

const CACHE = join('node_modules', '.cache', 'headrace');
const recordOf = (project: string): string => join(project, CACHE, 'executed');

/** To record makes a run longer (see ADR 17), so it is done once a day. */
const FRESH_MS = 24 * 3600 * 1000;

/** Written last of all, into `ABOUT`: a record of another version, or one that was not finished, can't be read. */
const VERSION = 1;
const ABOUT = 'record.json';

interface About {
  readonly version: number;
  readonly recordedAt: number;
}

/** Whether the record is of today. */
export function isRecordFresh(project: string = root): boolean {
  const about = readAbout(recordOf(project));
  return about !== undefined && Date.now() - about.recordedAt < FRESH_MS;
}

/** A new folder for a run to write its record to, with the sources as they are now; `keepRecord` puts it in the old one's place. */
export function newRecord(project: string = root): string {
  const beside = join(project, CACHE);
  mkdirSync(beside, { recursive: true });
  // What runs that were killed left.
  for (const name of readdirSync(beside))
    if (name.startsWith('executed.new') && Date.now() - statSync(join(beside, name)).mtimeMs > FRESH_MS)
      rmSync(join(beside, name), { recursive: true, force: true });
  const folder = mkdtempSync(join(beside, 'executed.new-'));
  cpSync(join(project, 'src'), join(folder, 'src'), { recursive: true });
  return folder;
}

/** Keeps what a run wrote, or removes it and returns the reason: `failure` of the run, or a source that changed while it ran. */
export function keepRecord(folder: string, failure: string | undefined, project: string = root): string | undefined {
  const edited = failure === undefined ? differingSource(join(folder, 'src'), join(project, 'src')) : undefined;
  const reason = failure ?? (edited === undefined ? undefined : `src/${edited} changed while the tests ran`);
  if (reason !== undefined) {
    rmSync(folder, { recursive: true, force: true });
    return reason;
  }
  const about: About = { version: VERSION, recordedAt: Date.now() };
  writeFileSync(join(folder, ABOUT), JSON.stringify(about));
  rmSync(recordOf(project), { recursive: true, force: true });
  renameSync(folder, recordOf(project));
  return undefined;
}

export interface ExecutedRecord {
  /** In milliseconds since 1970. */
  readonly recordedAt: number;
  /** How many functions each test file executed; of a group, its part of them. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Test files that were recorded together with others: what they are said to have executed may have been one of those. */
  readonly shared: ReadonlySet<string>;
  /**
   * The test files that executed what differs between the recorded `source` and any of `versions`, its texts at other times, where
   * undefined stands for a time without the file. Undefined where the record doesn't know the source.
   */
  executors(source: string, versions: readonly (string | undefined)[]): Executors | undefined;
}

export interface Executors {
  readonly tests: ReadonlySet<string>;
  /**
   * Whether the tests that import the source count too. A module runs once a process, whoever imports it first, so the record
   * can't tell who relies on what runs then; nor can it of a function that no test executed.
   */
  readonly isByImport: boolean;
}

/** Undefined before the first whole run; where the record can't be read it is as none, and `say` takes the reason. */
export function readRecord(
  project: string = root,
  say: (line: string) => void = console.log,
): ExecutedRecord | undefined {
  const record = recordOf(project);
  if (!existsSync(record)) return undefined;
  const about = readAbout(record);
  try {
    if (about === undefined) throw new Error('it is of another version, or was not finished');
    return openRecord(record, about, readGroups(record));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say(
      `The record of what tests execute can't be read, and is not used: ${reason}. \`npm test -- --record\` makes it anew.`,
    );
    return undefined;
  }
}

function readAbout(record: string): About | undefined {
  try {
    const about = JSON.parse(readFileSync(join(record, ABOUT), 'utf8')) as About;
    return about.version === VERSION && Number.isFinite(about.recordedAt) ? about : undefined;
  } catch {
    return undefined;
  }
}

function readGroups(record: string): RecordedGroup[] {
  return readdirSync(record)
    .filter((name) => /^\d+-\d+\.json$/.test(name))
    .map((name) => {
      try {
        const group = JSON.parse(readFileSync(join(record, name), 'utf8')) as RecordedGroup;
        if (Array.isArray(group.tests) && typeof group.executed === 'object') return group;
      } catch {
        // Said below.
      }
      throw new Error(`${name} is damaged`);
    });
}

function openRecord(record: string, about: About, groups: readonly RecordedGroup[]): ExecutedRecord {
  const byTest = new Map<string, Executed>(
    groups.flatMap(({ tests, executed }) => tests.map((test) => [test, executed])),
  );
  const sizes = new Map(
    groups.flatMap(({ tests, executed }) => {
      const size = Object.values(executed).reduce((sum, all) => sum + all.filter((one) => one[2] === 1).length, 0);
      return tests.map((test) => [test, size / tests.length]);
    }),
  );
  const shared = new Set(groups.flatMap(({ tests }) => (tests.length > 1 ? tests : [])));
  return {
    recordedAt: about.recordedAt,
    sizes,
    shared,
    executors(source, versions) {
      const path = join(record, 'src', source.replace(/^src\//, ''));
      if (!existsSync(path)) return undefined;
      const functions = functionsOf(source, byTest);
      const all = new Set(functions.flatMap((one) => [...one.tests]));
      const before = readFileSync(path, 'utf8');
      const spans = versions.flatMap((text) =>
        text === undefined ? [[0, before.length] as const] : changedSpans(path, before, text),
      );
      const changed = spans.map((span) => innermost(functions, span));
      const isByImport = changed.some((one) => one === undefined || one.runsOnLoad || one.tests.size === 0);
      const tests = changed.flatMap((one) => [...(one === undefined || one.runsOnLoad ? all : one.tests)]);
      return { tests: new Set(tests), isByImport };
    },
  };
}

interface RecordedFunction {
  readonly from: number;
  /** Exclusive, as V8's. */
  readonly to: number;
  readonly tests: ReadonlySet<string>;
  /** Whether it may have run when the module was loaded: all tests that loaded the module executed it. */
  readonly runsOnLoad: boolean;
}

/** The functions of a source, the longest first, which is the module itself. */
function functionsOf(source: string, byTest: ReadonlyMap<string, Executed>): RecordedFunction[] {
  const found = new Map<string, { from: number; to: number; tests: Set<string> }>();
  for (const [test, executed] of byTest)
    for (const [from, to, was] of executed[source] ?? []) {
      const one = found.get(`${from} ${to}`) ?? { from, to, tests: new Set() };
      if (was === 1) one.tests.add(test);
      found.set(`${from} ${to}`, one);
    }
  const longestFirst = [...found.values()].sort((a, b) => b.to - b.from - (a.to - a.from));
  const loaders = longestFirst[0]?.tests ?? new Set();
  return longestFirst.map((one, index) => ({
    ...one,
    runsOnLoad: index === 0 || (loaders.size > 0 && loaders.isSubsetOf(one.tests)),
  }));
}

type Span = readonly [from: number, to: number];

/** Of `functions`, the longest first. */
function innermost(functions: readonly RecordedFunction[], [from, to]: Span): RecordedFunction | undefined {
  return functions.findLast((one) => one.from <= from && to <= one.to);
}

/** Where `after` differs from `before`, the text of the file `path`: offsets into `before`, the end exclusive. */
function changedSpans(path: string, before: string, after: string): Span[] {
  const words = ['diff', '--no-index', '--no-ext-diff', '--no-textconv', '--no-color', '--text', '--unified=0'];
  const { stdout, stderr, status } = askGit(root, [...words, '--', path, '-'], after);
  // 1 says that they differ.
  if (status === null || status > 1) throw new Error(`git could not compare ${path} with what it is now: ${stderr}`);
  const lines = before.split('\n');
  const starts: number[] = [0];
  for (const line of lines) starts.push((starts.at(-1) ?? 0) + line.length + 1);
  return [...stdout.matchAll(/^@@ -(\d+)(?:,(\d+))? /gm)].map(([, first = '', count = '1']) => {
    // Lines that were only added have the count 0 and come after line `first`: what holds its newline holds them.
    const from = Number(count) === 0 ? Number(first) : Number(first) - 1;
    if (Number(count) === 0) return [Math.max(0, (starts[from] ?? 0) - 1), starts[from] ?? 0];
    const to = from + Number(count) - 1;
    const indent = lines[from]?.search(/\S|$/) ?? 0;
    return [(starts[from] ?? 0) + indent, (starts[to] ?? 0) + (lines[to]?.trimEnd().length ?? 0)];
  });
}

/** The first file that is not the same in both folders, or is in one alone. */
function differingSource(one: string, other: string): string | undefined {
  const list = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return [...new Set([...list(one), ...list(other)])].find((name) => {
    const [a, b] = [join(one, name), join(other, name)];
    return !existsSync(a) || !existsSync(b) || !readFileSync(a).equals(readFileSync(b));
  });
}
