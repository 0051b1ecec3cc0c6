// The workers of a server as processes, and connections that are known to end at one of them.

import { spawnSync } from 'node:child_process';
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** The living children of a process. */
export function workersOf(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['--ppid', String(pid), '-o', 'pid=,stat='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([child, state]) => child !== undefined && Number(child) > 0 && state?.startsWith('Z') === false)
    .map(([child]) => Number(child));
}

export interface Kept {
  readonly agent: Agent;
  /** The worker at the other end. */
  readonly pid: number;
}

/** Connections that are kept, one to each of the two workers; waits until both listen. */
export async function connectToBoth(url: string): Promise<readonly [Kept, Kept]> {
  const kept = new Map<number, Kept>();
  for (;;) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const pid = workerOf(await ask(agent, `${url}/health/live`));
    if (kept.has(pid)) agent.destroy();
    else kept.set(pid, { agent, pid });
    const [one, other] = [...kept.values()];
    if (one !== undefined && other !== undefined) return [one, other];
    await sleep(50);
  }
}

/** The request's id. */
export function ask(agent: Agent | false, url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(String(response.headers['x-request-id'])));
    }).once('error', reject);
  });
}

/** A request's id begins with the process that answers. */
export function workerOf(requestId: string): number {
  return Number.parseInt(requestId.split('-')[0] ?? '', 36);
}
