// Which functions of src a test file executed, in its own process and in the programs that it started, by V8's own coverage.
// A whole run of `npm test` records them for `npm test -- --affected`. To begin anew costs V8 a walk over the whole heap, some
// tenths of a second, so files that take little CPU are recorded together with the next ones. V8 is asked once for all of them: of
// a module of which it has said what was executed, it says nothing more until it begins anew.

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

/** How many files are recorded together; more would make the record of each too wide. */
const LARGEST_GROUP = 20;
const CHEAP_MS = 1000;

let cover: Cover | undefined;
/** What is recorded together with the next file; undefined where that begins anew. */
let open: { readonly tests: string[]; readonly programs: Executed[] } | undefined;
let groups = 0;

/** Undefined where this run records nothing. */
export function beginRecord(): { end(testFile: string, cpuMs: number): void } | undefined {
  const record = process.env['HEADRACE_TEST_RECORD'];
  if (record === undefined) return undefined;
  if (cover === undefined) {
    cover = coverSources();
    // How Vitest ends a worker: the last group is written then.
    process.once('SIGTERM', () => {
      write(record);
      process.exit();
    });
  }
  if (open === undefined) cover.restart();
  const group = (open ??= { tests: [], programs: [] });
  // What programs executed lies here until the file ends: each writes a file of its own.
  const programs = mkdtempSync(join(tmpdir(), 'headrace-executed-'));
  process.env['HEADRACE_TEST_EXECUTED'] = programs;
  const options = process.env['NODE_OPTIONS'] ?? '';
  if (!options.includes(COVER_PROGRAMS)) process.env['NODE_OPTIONS'] = `${options} --import=${COVER_PROGRAMS}`.trim();
  return {
    end(testFile, cpuMs) {
      group.tests.push(testFile);
      group.programs.push(...readdirSync(programs).map((name) => read(join(programs, name))));
      rmSync(programs, { recursive: true, force: true });
      const isCheap = cpuMs < CHEAP_MS && group.programs.length === 0;
      if (!isCheap || group.tests.length === LARGEST_GROUP) write(record);
    },
  };
}

function write(record: string): void {
  if (open === undefined || cover === undefined) return;
  const group: RecordedGroup = { tests: open.tests, executed: merge([cover.take(), ...open.programs]) };
  mkdirSync(record, { recursive: true });
  writeFileSync(join(record, `${process.pid}-${++groups}.json`), JSON.stringify(group));
  open = undefined;
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
