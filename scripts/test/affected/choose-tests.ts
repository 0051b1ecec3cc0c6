// Which test files a change touches, the nearest first: those that executed a function that changed, by the record of the last
// whole run; where that can't tell, those that import the file that changed.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.ts';
import { type ExecutedRecord, readRecord } from './executed-record.ts';
import { type ImportGraph, readImportGraph } from './import-graph.ts';

export interface Choice {
  /** Nearest first. */
  readonly files: readonly string[];
  readonly changed: readonly string[];
  /** Whether a record of a whole run was there to go by. */
  readonly hasRecord: boolean;
}

/** `since` is a commit or branch; what has not been committed counts always. */
export function chooseAffected(since: string): Choice {
  const changed = changedFiles(since);
  const record = readRecord();
  return { files: chooseFor(changed, readImportGraph(), record), changed, hasRecord: record !== undefined };
}

/** Further than any import chain: a test that reaches the file through a program alone, or a line that is no import. */
const FAR = 1_000;

/** `changed` are paths below `project`, a folder of the project or a copy of it. */
export function chooseFor(
  changed: readonly string[],
  graph: ImportGraph,
  record: ExecutedRecord | undefined,
  project: string = root,
): readonly string[] {
  const nearest = new Map<string, number>();
  for (const file of changed) {
    const distances = graph.distances(file);
    const executors = file.startsWith('src/') ? record?.executors(file, project) : undefined;
    for (const test of executors ?? distances.keys()) {
      if (record?.shared.has(test) === true && !distances.has(test)) continue;
      const distance = distances.get(test) ?? FAR;
      nearest.set(test, Math.min(distance, nearest.get(test) ?? Number.POSITIVE_INFINITY));
    }
    // A test that the record doesn't know may be new.
    if (executors !== undefined)
      for (const [test, distance] of distances)
        if (record?.sizes.has(test) === false)
          nearest.set(test, Math.min(distance, nearest.get(test) ?? Number.POSITIVE_INFINITY));
  }
  // Of two as near, the one that executes less is more about the change, and quicker.
  const size = (test: string): number => record?.sizes.get(test) ?? 0;
  return [...nearest]
    .filter(([test]) => existsSync(join(root, test)))
    .sort(([a, near], [b, far]) => near - far || size(a) - size(b) || a.localeCompare(b))
    .map(([test]) => test);
}

/** Whether a test file is of the quick tier. */
export function isQuick(test: string): boolean {
  return !test.endsWith('.full.test.ts') && !/^test\/(heavy|interop)\//.test(test);
}

function changedFiles(since: string): string[] {
  const git = (...words: string[]): string[] => {
    const { stdout, status, stderr } = spawnSync('git', words, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`git ${words.join(' ')} failed: ${stderr}`);
    return stdout.split('\n').filter(Boolean);
  };
  return [...new Set([...git('diff', '--name-only', since), ...git('ls-files', '--others', '--exclude-standard')])];
}
