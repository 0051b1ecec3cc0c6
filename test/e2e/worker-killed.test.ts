// A worker that dies at the worst moment takes nobody with it: its primary goes on and starts another, also where there is no
// process to be had for a while.

import { spawnSync } from 'node:child_process';
import { Agent, get } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

let project: Project;
beforeAll(() => {
  project = createServingProject();
  // Makes the primary's next forks fail until it is told again.
  project.write(
    'fails-to-fork.mjs',
    `const { execPath } = process;
if (process.argv[2] === 'serve')
  process.on('SIGUSR2', () => (process.execPath = process.execPath === execPath ? '/nowhere/node' : execPath));`,
  );
}, 60_000);
afterAll(() => project.remove());

function workersOf(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['--ppid', String(pid), '-o', 'pid=,stat='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([child, state]) => child !== undefined && Number(child) > 0 && state?.startsWith('Z') === false)
    .map(([child]) => Number(child));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Kept {
  readonly agent: Agent;
  /** The worker at the other end. */
  readonly pid: number;
}

/** Connections that are kept, one to each of the two workers; waits until both listen. */
async function connectToBoth(url: string): Promise<readonly [Kept, Kept]> {
  const kept = new Map<number, Kept>();
  for (;;) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const pid = Number.parseInt((await ask(agent, `${url}/health/live`)).split('-')[0] ?? '', 36);
    if (kept.has(pid)) agent.destroy();
    else kept.set(pid, { agent, pid });
    const [one, other] = [...kept.values()];
    if (one !== undefined && other !== undefined) return [one, other];
    await pause(50);
  }
}

/** The request's id, which begins with the process that answers. */
function ask(agent: Agent, url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(String(response.headers['x-request-id'])));
    }).once('error', reject);
  });
}

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

  it('outlives the time in which no worker can be started', async () => {
    const hooks = { NODE_OPTIONS: `--import=${project.file('fails-to-fork.mjs')}` };
    const server = await startServe(project, ['--workers', '2'], hooks);
    try {
      const primary = primaryOf(server);
      process.kill(primary, 'SIGUSR2');
      process.kill(workersOf(primary)[0] as number, 'SIGKILL');
      await expect.poll(server.log, { timeout: 5000 }).toMatch(/"reason":"[^"]*ENOENT[^\n]*a worker could not start/);
      expect(workersOf(primary)).toHaveLength(1);
      process.kill(primary, 'SIGUSR2');
      for (const { agent } of await connectToBoth(server.url)) agent.destroy();
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});
