// What an answer is counted as, beside what it takes of memory.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const MEASURE = fileURLToPath(new URL('../support/measure-answers.ts', import.meta.url));

it('is counted as what it takes, within a fifth', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', MEASURE], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const measured = JSON.parse(stdout) as { what: string; isWhole: boolean; ratio: number }[];
  expect(measured).toHaveLength(7);
  for (const { what, isWhole, ratio } of measured) {
    expect(isWhole, what).toBe(true);
    expect(ratio, what).toBeGreaterThan(0.83);
    expect(ratio, what).toBeLessThan(1.2);
  }
});
