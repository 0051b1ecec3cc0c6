// A step that prints a gigabyte: the log keeps its ends, and what reads it holds no more than those.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ownWorld } from '../support/opened.ts';

function peakMib(pid: number | undefined): number {
  const [, kib = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

const SCRIPT = 'echo first; head -c 1G /dev/zero | tr "\\0" x; echo; echo last; exit 3';
const FUNCTION =
  'module.exports = () => { console.log("first"); const line = "x".repeat(2 ** 20 - 1); for (let i = 0; i < 1024; i++) console.log(line); console.log("last"); throw new Error("over"); };';

it.each(['script', 'function'])(
  'keeps the first and the last MiB of what a %s prints, and no more in memory',
  async (what) => {
    const world = ownWorld();
    const action = what === 'script' ? ({ kind: 'shell', command: SCRIPT } as const) : await world.task(FUNCTION);
    await world.run({ kind: 'shell', command: 'true' });
    const before = peakMib(world.executor.launcherPid);
    const began = performance.now();
    const [end] = await world.run(action);
    const seconds = (performance.now() - began) / 1000;
    expect(end).toMatchObject({ kind: 'failed' });
    const log = world.log();
    expect(log.length).toBeLessThan(2.01 * 2 ** 20);
    expect(log.slice(0, 6)).toBe('first\n');
    expect(log).toMatch(/\n… 10\d{8} bytes are left out here: the first and the last 1 MiB are kept …\n/);
    expect(log).toContain('\nlast\n');
    const grown = peakMib(world.executor.launcherPid) - before;
    console.log(`1 GiB of output: ${seconds.toFixed(1)} s, ${grown.toFixed(0)} MiB more at the peak`);
    expect(grown).toBeLessThan(150);
  },
);
