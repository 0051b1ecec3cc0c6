// Which functions of src a test file executed, in its own process and in the programs that it started, by V8's own coverage.
// A whole run of `npm test` records them for `npm test -- --affected`. To begin anew costs V8 a walk over the whole heap, some
// tenths of a second, so files that take less CPU than that are recorded together with the next ones.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cover, coverSources, type Executed } from './cover-sources.mjs';

const COVER_PROGRAMS = new URL('./cover-program.mjs', import.meta.url).href;

/** A file of the record. */
export interface RecordedGroup {
  /** The test files: most often one. */
  readonly tests: readonly string[];
  /** `{ "src/core/time.ts": [[120, 840, 1], …] }`: where a function starts and ends, and 1 where one of the files executed it. */
  readonly executed: Executed;
}

/** How long a group grows; more would make the record of each of its files too wide. */
const LARGEST_GROUP = 20;
const CHEAP_MS = 500;

let cover: Cover | undefined;
/** What is recorded together with the next file; undefined where that begins anew. */
let open: RecordedGroup | undefined;
let groups = 0;

/** Undefined where this run records nothing. */
export function beginRecord(): { end(testFile: string, cpuMs: number): void } | undefined {
  const record = process.env['HEADRACE_TEST_RECORD'];
  if (record === undefined) return undefined;
  const ours = (cover ??= coverSources());
  if (open === undefined) {
    ours.restart();
    groups++;
  }
  // What programs executed lies here until the file ends: each writes a file of its own.
  const programs = mkdtempSync(join(tmpdir(), 'headrace-executed-'));
  process.env['HEADRACE_TEST_EXECUTED'] = programs;
  const options = process.env['NODE_OPTIONS'] ?? '';
  if (!options.includes(COVER_PROGRAMS)) process.env['NODE_OPTIONS'] = `${options} --import=${COVER_PROGRAMS}`.trim();
  return {
    end(testFile, cpuMs) {
      const all = [
        ...(open === undefined ? [] : [open.executed]),
        ours.take(),
        ...readdirSync(programs).map((name) => read(join(programs, name))),
      ];
      rmSync(programs, { recursive: true, force: true });
      mkdirSync(record, { recursive: true });
      const group = { tests: [...(open?.tests ?? []), testFile], executed: merge(all) };
      writeFileSync(join(record, `${process.pid}-${groups}.json`), JSON.stringify(group));
      const isCheap = cpuMs < CHEAP_MS && all.length === (open === undefined ? 1 : 2);
      open = isCheap && group.tests.length < LARGEST_GROUP ? group : undefined;
    },
  };
}

function read(path: string): Executed {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Executed;
  } catch {
    // A program that was killed while it wrote.
    return {};
  }
}

/** What several processes executed; of a function that one executed and another only loaded, that it was executed. */
function merge(all: readonly Executed[]): Executed {
  const merged = new Map<string, Map<string, Executed[string][number]>>();
  for (const one of all)
    for (const [source, functions] of Object.entries(one)) {
      const known = merged.get(source) ?? new Map<string, Executed[string][number]>();
      for (const each of functions) {
        const key = `${each[0]} ${each[1]}`;
        if (each[2] === 1 || !known.has(key)) known.set(key, each);
      }
      merged.set(source, known);
    }
  return Object.fromEntries([...merged].map(([source, functions]) => [source, [...functions.values()]]));
}
