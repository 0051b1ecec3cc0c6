// One fault at a time in a copy of the project: the tests that it affects run there, the nearest first, until one fails.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseFor, isQuick } from '../test/affected/choose-tests.ts';
import type { ExecutedRecord } from '../test/affected/executed-record.ts';
import type { ImportGraph } from '../test/affected/import-graph.ts';
import { root } from '../test/root.ts';
import { runVitest } from '../test/run-vitest.ts';

export interface Outcome {
  /** `late`: neither caught nor through with all tests when its time was up. */
  readonly verdict: 'caught' | 'survived' | 'late';
  /** The first test that failed, or how many files ran. */
  readonly by: string;
  readonly seconds: number;
  /** How many test files it affects. */
  readonly affected: number;
}

export interface Copy {
  /** `text` is the whole file with its fault. */
  try(file: string, text: string): Promise<Outcome>;
  remove(): void;
}

/** Not needed by a test, or shared by a link. */
const NOT_COPIED = new Set(['node_modules', '.git', '.headrace', 'dist']);
/** A test that the fault makes hang, without ever yielding, is ended after this, and the fault counts as caught. */
const HANG_MS = 150_000;

export function openCopy(graph: ImportGraph, record: ExecutedRecord | undefined, limitMs: number): Copy {
  const project = mkdtempSync(join(tmpdir(), 'headrace-mutate-'));
  for (const name of readdirSync(root))
    if (!NOT_COPIED.has(name)) cpSync(join(root, name), join(project, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
  return {
    async try(file, text) {
      const path = join(project, file);
      const before = readFileSync(path, 'utf8');
      writeFileSync(path, text);
      try {
        const files = chooseFor([file], graph, record, project).filter(isQuick);
        if (files.length === 0) return { verdict: 'survived', by: 'no test', seconds: 0, affected: 0 };
        const began = performance.now();
        const found = await runUntilFailure(project, files, limitMs);
        return { ...found, seconds: (performance.now() - began) / 1000, affected: files.length };
      } finally {
        writeFileSync(path, before);
      }
    },
    remove: () => rmSync(project, { recursive: true, force: true }),
  };
}

async function runUntilFailure(
  project: string,
  files: readonly string[],
  limitMs: number,
): Promise<Pick<Outcome, 'verdict' | 'by'>> {
  const { code, report } = await runVitest({
    tier: 'quick',
    files,
    words: ['--bail=1', '--maxWorkers=1'],
    isOrdered: true,
    limitMs,
    killMs: limitMs + HANG_MS,
    project,
    isSilent: true,
  });
  if (report === undefined) return { verdict: 'caught', by: 'a test that never ended, or a crash' };
  for (const { file, state, tests } of report.files) {
    const failed = tests.find((test) => test.state === 'failed');
    if (state === 'failed') return { verdict: 'caught', by: failed === undefined ? file : `${file} > ${failed.name}` };
  }
  if (report.isCut) return { verdict: 'late', by: `${report.files.length} files in ${limitMs / 1000} s` };
  return code === 0
    ? { verdict: 'survived', by: `${report.files.length} files` }
    : { verdict: 'caught', by: `exit status ${String(code)}` };
}
