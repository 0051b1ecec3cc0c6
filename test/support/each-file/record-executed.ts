// Which functions of src a test file executed, in its own process and in the programs that it started, by V8's own coverage.
// A whole run of `npm test` records them for `npm test -- --affected`. One file of the record is one test file:
// `{ "src/core/time.ts": [[120, 840, 1], …] }`: where a function starts and ends, and 1 where it was executed.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cover, coverSources, type Executed } from './cover-sources.mjs';

const COVER_PROGRAMS = new URL('./cover-program.mjs', import.meta.url).href;

let cover: Cover | undefined;

/** Undefined where this run records nothing. */
export function beginRecord(): { end(testFile: string): void } | undefined {
  const record = process.env['HEADRACE_TEST_RECORD'];
  if (record === undefined) return undefined;
  const ours = (cover ??= coverSources());
  ours.restart();
  // What programs executed lies here until the file ends: each writes a file of its own.
  const programs = mkdtempSync(join(tmpdir(), 'headrace-executed-'));
  process.env['HEADRACE_TEST_EXECUTED'] = programs;
  const options = process.env['NODE_OPTIONS'] ?? '';
  if (!options.includes(COVER_PROGRAMS)) process.env['NODE_OPTIONS'] = `${options} --import=${COVER_PROGRAMS}`.trim();
  return {
    end(testFile) {
      const all = [ours.take(), ...readdirSync(programs).map((name) => read(join(programs, name)))];
      rmSync(programs, { recursive: true, force: true });
      mkdirSync(record, { recursive: true });
      writeFileSync(join(record, `${testFile.replaceAll('/', '~')}.json`), JSON.stringify(merge(all)));
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
