// A batch's lock where another process ends at the same moment, and takes the folder of its work away.

import { fork } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { lockFolder } from '../../src/batch-prediction/lock-folder.ts';
import type { LockedOften } from '../support/lock-often.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { fullIt } from '../support/tier.ts';

let out: string;
let work: string;
beforeEach(() => {
  out = folderOfTest();
  work = join(out, '_work');
});
afterEach(() => vi.restoreAllMocks());

it('keeps others out until it is let go, and goes with the work that is done', () => {
  const first = lockFolder({ name: out, work });
  expect(() => lockFolder({ name: out, work })).toThrow(/another process is predicting/);
  first.release();
  const second = lockFolder({ name: out, work });
  second.end();
  expect(existsSync(work)).toBe(false);
});

it('leaves to another what that has begun there meanwhile', () => {
  const first = lockFolder({ name: out, work });
  // As if the first had been stopped in the midst of its end.
  rmSync(join(work, 'lock'));
  const second = lockFolder({ name: out, work });
  writeFileSync(join(work, 'features.parquet'), '');
  first.release();
  expect(() => lockFolder({ name: out, work })).toThrow(/another process is predicting/);
  second.end();
  expect(existsSync(join(work, 'features.parquet'))).toBe(true);
});

it('lets go at its end also where its file cannot be removed', () => {
  const first = lockFolder({ name: out, work });
  const moved = join(out, 'moved');
  renameSync(work, moved);
  // A folder, which is not removed as a file is.
  mkdirSync(join(work, 'lock'), { recursive: true });
  expect(() => lockFolder({ name: out, work: moved })).toThrow(/another process is predicting/);
  first.end();
  lockFolder({ name: out, work: moved }).end();
  expect(existsSync(moved)).toBe(false);
});

it.each([
  ['is locked', false],
  ['cannot be locked', true],
])('reports an end of another’s work where the file that was opened and is gone %s', (_, fails) => {
  const lock = DatabaseSync.prototype.exec;
  vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementationOnce(function (this: DatabaseSync, sql) {
    rmSync(join(work, 'lock'));
    if (fails) throw new Error('disk I/O error');
    lock.call(this, sql);
  });
  expect(() => lockFolder({ name: out, work })).toThrow(/another process has just ended its work/);
  expect(existsSync(join(work, 'lock'))).toBe(false);
  lockFolder({ name: out, work }).end();
});

it.runIf(process.platform === 'linux')('leaves no file open when it ends', () => {
  const opened = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)].filter((path) => path.startsWith(work));
      } catch {
        // The handle that lists them is closed by now.
        return [];
      }
    });
  const lock = lockFolder({ name: out, work });
  expect(opened()).not.toEqual([]);
  lock.end();
  expect(opened()).toEqual([]);
});

// twin: test/unit/batch-lock.test.ts > leaves to another what that has begun there meanwhile
fullIt('is held by one alone, however many begin and end at the same place', async () => {
  const program = join(import.meta.dirname, '../support/lock-often.ts');
  const all = Array.from({ length: 4 }, async () => {
    const child = fork(program, [out]);
    let told: LockedOften | undefined;
    child.on('message', (message: LockedOften) => (told = message));
    await once(child, 'close');
    return told;
  });
  for (const told of await Promise.all(all)) {
    expect(told).toMatchObject({ held: 100, heldTwice: 0 });
    for (const code of Object.keys(told?.refused ?? {})) expect(code).toBe('HR_CONFLICT');
  }
});
