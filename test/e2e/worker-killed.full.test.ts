// A worker that dies at the worst moment takes nobody with it: its primary goes on and starts another.
// twin: test/unit/app-supervise-workers.test.ts > a worker that dies
// twin: test/unit/app-rescue-connections.test.ts > are closed where no worker is left

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import { ask, connectToBoth, workersOf } from '../support/worker-processes.ts';

let project: Project;
beforeAll(() => {
  project = createServingProject();
}, 60_000);
afterAll(() => project.remove());

const primaryOf = (server: ServerProcess): number => server.process.pid as number;

describe('a server with two workers', { timeout: 90_000 }, () => {
  it('outlives one that was killed before its primary writes to it', async () => {
    const server = await startServe(project, ['--workers', '2']);
    try {
      const primary = primaryOf(server);
      for (let time = 0; time < 3; time++) {
        const [kept, victim] = await connectToBoth(server.url);
        // The primary wakes up with the question of one worker, for which it asks the other, and does not know of its end yet.
        process.kill(victim.pid, 'SIGSTOP');
        process.kill(primary, 'SIGSTOP');
        const scraped = ask(kept.agent, `${server.url}/metrics`);
        await pause(300);
        process.kill(victim.pid, 'SIGKILL');
        await pause(300);
        process.kill(primary, 'SIGCONT');
        await scraped;
        for (const { agent } of [kept, victim]) agent.destroy();
        await expect.poll(() => server.log().match(/a worker crashed/g)?.length ?? 0).toBe(time + 1);
      }
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('keeps the port that it has chosen when all its workers die at once', async () => {
    const server = await startServe(project, ['--workers', '2']);
    try {
      const workers = workersOf(primaryOf(server));
      for (const pid of workers) process.kill(pid, 'SIGKILL');
      await expect.poll(() => workersOf(primaryOf(server)).filter((pid) => workers.includes(pid))).toEqual([]);
      await expect
        .poll(() => ask(false, `${server.url}/health/live`).catch(() => 'nobody'), { timeout: 60_000 })
        .not.toBe('nobody');
      for (const { agent } of await connectToBoth(server.url)) agent.destroy();
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('leaves nobody waiting whose connection was on its way when all workers died', async () => {
    const server = await startServe(project, ['--workers', '2']);
    try {
      const workers = workersOf(primaryOf(server));
      for (const pid of workers) process.kill(pid, 'SIGSTOP');
      // One goes to each worker, the others wait in the primary.
      const asked = Array.from({ length: 6 }, () => ask(false, `${server.url}/health/live`));
      await pause(500);
      for (const pid of workers) process.kill(pid, 'SIGKILL');
      // Each is answered, or its connection ends.
      await Promise.allSettled(asked);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});
