// A process that holds the lock of a folder's opening. Arguments: the folder; `commits`, until it is killed, or `alone`, for a
// third of a second, after which it leaves a file `let-go`.

import { writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openAlone } from '../../src/online/lmdb/opening-lock.ts';

const [folder = '', how] = process.argv.slice(2);
const NEVER = new Int32Array(new SharedArrayBuffer(4));

const { lock } = openAlone(folder, () => {
  if (how !== 'alone') return;
  writeSync(1, 'held\n');
  Atomics.wait(NEVER, 0, 0, 333);
  writeFileSync(join(folder, 'let-go'), '');
});
if (how === 'alone') process.exit();
setInterval(() => {}, 1000);
await lock.commits(() => {
  writeSync(1, 'held\n');
  return new Promise<void>(() => {});
});
