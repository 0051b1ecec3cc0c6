// Drivers in containers: one host name, and process 1 in each. Neither takes the other for itself, or for dead.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { isLeaseLive, newOwner } from '../../src/orchestrator/lease.ts';
import { skipBecause } from '../support/skips.ts';

const LEASE = fileURLToPath(new URL('../../src/orchestrator/lease.ts', import.meta.url));
const CONTAINER = ['--pid', '--fork', '--kill-child', '--mount-proc'];

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

const canMake = spawnSync('unshare', [...CONTAINER, 'true']).status === 0;
if (!canMake) skipBecause('drivers in containers: `unshare --pid` is not there, or not allowed');

/** A process in a process space of its own, which says what it is called and what it makes of a lease that another has for a minute. */
async function inContainer(other: string): Promise<{ readonly name: string; readonly isLive: boolean }> {
  const program = `
    import { isLeaseLive, newOwner } from ${JSON.stringify(LEASE)};
    console.log(JSON.stringify({ name: newOwner(), isLive: isLeaseLive(${JSON.stringify(other)}, 60_000_000, 0) }));
    setTimeout(() => {}, 60_000);`;
  const node = [process.execPath, '--conditions=headrace-source', '--input-type=module', '--eval', program];
  const child = spawn('unshare', [...CONTAINER, ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return JSON.parse(line.toString());
}

it.runIf(canMake)('containers of one host name and one process id know each other’s leases as live', async () => {
  const first = await inContainer('elsewhere/1/ab');
  const second = await inContainer(first.name);
  const [space, pid] = first.name.split('/');
  const [otherSpace, otherPid] = second.name.split('/');
  expect([pid, otherPid]).toEqual(['1', '1']);
  expect(otherSpace).not.toBe(space);
  expect(second.isLive).toBe(true);
  // From here, too, which knows nothing of their processes; once the lease has run out, it is not.
  expect(isLeaseLive(first.name, 60_000_000, 0)).toBe(true);
  expect(isLeaseLive(first.name, 60_000_000, 60_000_001)).toBe(false);
  // Of one's own space a dead one is known at once.
  expect(isLeaseLive(newOwner().replace(/\/\d+\//, '/999999999/'), 60_000_000, 0)).toBe(false);
});
