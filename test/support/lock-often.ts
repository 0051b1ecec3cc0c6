// A process that takes a batch's lock and ends its work, over and over, as batches do that are asked for again and again. Argument:
// the folder of the batch. Tells how often it had the lock, how often another had it at that moment, and why it was refused.

import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lockFolder } from '../../src/batch-prediction/lock-folder.ts';
import { toHeadraceError } from '../../src/core/index.ts';

export interface LockedOften {
  readonly held: number;
  readonly heldTwice: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** So often it has the lock, however often it is refused meanwhile. */
const HELD = 100;

const [, , name = ''] = process.argv;
const work = join(name, '_work');
const mark = join(name, 'at-work');
const told = { held: 0, heldTwice: 0, refused: {} as Record<string, number> };
while (told.held < HELD) {
  try {
    const lock = lockFolder({ name, work });
    told.held++;
    try {
      closeSync(openSync(mark, 'wx'));
      await delay(1);
      rmSync(mark);
    } catch {
      told.heldTwice++;
    }
    lock.end();
  } catch (thrown) {
    const { code } = toHeadraceError(thrown);
    told.refused[code] = (told.refused[code] ?? 0) + 1;
  }
}
process.send?.(told satisfies LockedOften);
