// A program whose system clock tests set, by libfaketime.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const WITHOUT_FAKE_TIME = 'there is no libfaketime on this machine';

/** The library's path; undefined where it is not installed. */
export function findFakeTime(): string | undefined {
  const folders = existsSync(LIBRARIES) ? readdirSync(LIBRARIES) : [];
  return folders.map((name) => join(LIBRARIES, name, 'faketime', 'libfaketime.so.1')).find((path) => existsSync(path));
}

/** Of a program that is started with `env`; keeps a file in `directory`. */
export function fakeTime(library: string, directory: string) {
  const file = join(directory, 'seconds-ahead');
  const setAhead = (seconds: number): void => writeFileSync(file, `+${seconds}`);
  setAhead(0);
  return {
    /** Variables of the program's environment. */
    env: {
      // The C library's own allocator first: jemalloc asks for the time before libfaketime can tell it.
      LD_PRELOAD: `libc_malloc_debug.so.0 ${library}`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    /** How far its clock is ahead from now on. */
    setAhead,
  };
}

const LIBRARIES = '/usr/lib';
