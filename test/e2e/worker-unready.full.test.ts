// A worker in place of one that crashed, whose models can't be loaded: it takes no connections while another can answer them, for as
// long as its primary has patience.
// twin: test/unit/app-admit-workers.test.ts > a worker in place of another
// twin: test/unit/app-supervise-workers.test.ts > does not listen before it is ready, as long as another is

import { createHash } from 'node:crypto';
import { readFileSync, renameSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createServingProject,
  type Project,
  type ServerProcess,
  startServeWithLimits,
} from '../support/serving-project.ts';
import { ask, workerOf, workersOf } from '../support/worker-processes.ts';

const NOT_IN_TIME = 'is not ready in time';

let project: Project;
beforeEach(() => {
  project = createServingProject();
}, 60_000);
afterEach(() => project.remove());

/** Where the served version's file lies. */
function artifact(): string {
  const hash = createHash('sha256')
    .update(readFileSync(project.file('quarter.onnx')))
    .digest('hex');
  return project.file(`.headrace/artifacts/blobs/${hash.slice(0, 2)}/${hash}`);
}
const hide = (): void => renameSync(artifact(), project.file('hidden'));
const show = (): void => renameSync(project.file('hidden'), artifact());

/** Kills one of two workers; gives the other and the one that was started in its place, which is up and can load nothing. */
async function replaceOne(server: ServerProcess): Promise<{ readonly kept: number; readonly added: number }> {
  const primary = server.process.pid as number;
  const [kept, victim] = workersOf(primary) as [number, number];
  process.kill(victim, 'SIGKILL');
  await expect.poll(server.log, { timeout: 20_000 }).toContain('is not in the store');
  return { kept, added: workersOf(primary).find((pid) => pid !== kept) as number };
}

/** Who answers new connections. */
async function answering(server: ServerProcess, times: number): Promise<number[]> {
  const pids = new Set<number>();
  for (let time = 0; time < times; time++) {
    pids.add(workerOf(await ask(false, `${server.url}/health/live`)));
    await pause(100);
  }
  return [...pids].sort();
}

describe('a worker that is started again and is not ready', { timeout: 90_000 }, () => {
  it('leaves connections to one that is, until it is ready', async () => {
    const server = await startServeWithLimits(project, { unreadyMs: 600_000 });
    try {
      hide();
      const { kept, added } = await replaceOne(server);
      expect(await answering(server, 20)).toEqual([kept]);
      show();
      await expect.poll(() => answering(server, 4), { timeout: 60_000 }).toEqual([kept, added].sort());
      expect(server.log()).not.toContain(NOT_IN_TIME);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});
