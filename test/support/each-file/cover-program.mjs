// Loaded by `--import` in each program, and each of its threads, that a recorded test starts: writes what was executed where the
// test file wants it. A program that works for several test files (`warm-command.ts`) calls `headraceTurnTo` before it works for
// one, and `headraceWrite` after.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { coverSources } from './cover-sources.mjs';

let folder = process.env.HEADRACE_TEST_EXECUTED;
if (folder !== undefined) {
  const cover = coverSources();
  let parts = 0;
  const write = () => {
    try {
      writeFileSync(join(folder, `${process.pid}-${threadId}-${++parts}.json`), JSON.stringify(cover.take()));
    } catch {
      // The test file has ended, and its folder with it.
    }
  };
  process.on('exit', write);
  // The folder of the test file that this program works for from now on.
  globalThis.headraceTurnTo = (next) => {
    if (next === undefined || next === folder) return;
    folder = next;
    cover.restart();
  };
  globalThis.headraceWrite = write;
}
