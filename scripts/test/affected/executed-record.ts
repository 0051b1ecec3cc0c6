// The record of the last whole run that made one: which functions of src each test file executed, and the sources as they were then. It lies
// beside other caches of node_modules, and is not in git.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Executed } from '../../../test/support/each-file/cover-sources.mjs';
import type { RecordedGroup } from '../../../test/support/each-file/record-executed.ts';
import { root } from '../root.ts';

const RECORD = join(root, 'node_modules', '.cache', 'headrace', 'executed');

/** To record makes a run a quarter longer, so it is done once a day. */
const FRESH_MS = 24 * 3600 * 1000;

/** Whether the record is of today. */
export function isRecordFresh(): boolean {
  return existsSync(RECORD) && Date.now() - statSync(RECORD).mtimeMs < FRESH_MS;
}

/** Where a run writes its record: a new folder, which `keepRecord` puts in the old one's place. */
export function newRecord(): string {
  const folder = `${RECORD}.new`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

export function keepRecord(folder: string): void {
  cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true });
  rmSync(RECORD, { recursive: true, force: true });
  renameSync(folder, RECORD);
}

export interface ExecutedRecord {
  /** How many functions each test file executed; of a group, its part of them. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Test files that were recorded together with others: what they are said to have executed may have been one of those. */
  readonly shared: ReadonlySet<string>;
  /**
   * The test files that executed a function of `source` which has changed since the run in the folder `project`; undefined where
   * the record can't tell: the source is new, or what changed lies outside of all functions.
   */
  executors(source: string, project: string): ReadonlySet<string> | undefined;
}

/** Undefined before the first whole run. */
export function readRecord(): ExecutedRecord | undefined {
  if (!existsSync(RECORD)) return undefined;
  const groups = readdirSync(RECORD)
    // Records of earlier builds have other names: they tell nothing.
    .filter((name) => /^\d+-\d+\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(join(RECORD, name), 'utf8')) as RecordedGroup);
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
    sizes,
    shared,
    executors(source, project) {
      const before = join(RECORD, source);
      if (!existsSync(before)) return undefined;
      const seen = new Map<string, readonly [number, number]>();
      for (const executed of byTest.values())
        for (const [from, to] of executed[source] ?? []) seen.set(`${from} ${to}`, [from, to]);
      const changed = new Set<string>();
      for (const [from, to] of changedSpans(before, join(project, source))) {
        const innermost = [...seen]
          .filter(([, one]) => one[0] <= from && to <= one[1])
          .sort(([, a], [, b]) => length(a) - length(b))[0];
        // The outermost of all is the module itself, which runs once a process, whoever imports it first.
        if (innermost === undefined || innermost[1][0] === 0) return undefined;
        changed.add(innermost[0]);
      }
      return new Set(
        [...byTest]
          .filter(([, executed]) =>
            executed[source]?.some(([from, to, was]) => was === 1 && changed.has(`${from} ${to}`)),
          )
          .map(([test]) => test),
      );
    },
  };
}

function length([from, to]: readonly [number, number]): number {
  return to - from;
}

/** Where `after` differs from `before`, as offsets into `before`, from its first character to its last. */
function changedSpans(before: string, after: string): (readonly [number, number])[] {
  const { stdout } = spawnSync('git', ['diff', '--no-index', '--unified=0', '--', before, after], { encoding: 'utf8' });
  const lines = readFileSync(before, 'utf8').split('\n');
  const starts: number[] = [0];
  for (const line of lines) starts.push((starts.at(-1) ?? 0) + line.length + 1);
  return [...stdout.matchAll(/^@@ -(\d+)(?:,(\d+))? /gm)].map(([, first = '', count = '1']) => {
    // Lines that were only added have the count 0 and come after line `first`.
    const from = Number(count) === 0 ? Number(first) : Number(first) - 1;
    const to = from + Math.max(0, Number(count) - 1);
    const indent = lines[from]?.search(/\S|$/) ?? 0;
    if (Number(count) === 0) return [(starts[from] ?? 0) - 1, (starts[from] ?? 0) - 1] as const;
    return [(starts[from] ?? 0) + indent, (starts[to] ?? 0) + (lines[to]?.trimEnd().length ?? 0)] as const;
  });
}
