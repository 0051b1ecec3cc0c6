// What V8 does about memory outside its heap, by its own count of collections.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../support/count-collections.ts');

const wholeCollections = (...how: readonly string[]): number => {
  const told = execFileSync(process.execPath, ['--conditions=headrace-source', SCRIPT, ...how], { encoding: 'utf8' });
  const { whole, megabytes } = JSON.parse(told) as { readonly whole: number; readonly megabytes: number };
  expect(megabytes).toBe(2000);
  return whole;
};

it('is not looked for in the whole heap each 64 MB, once a server has it counted with the heap', () => {
  const before = wholeCollections();
  expect(before).toBeGreaterThan(15);
  // 18 to 28 of them before and 2 to 7 here, as V8's own threads come to run.
  expect(wholeCollections('counted')).toBeLessThan(before / 2);
});
