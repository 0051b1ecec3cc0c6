// A worker that hangs: its primary hears nothing of it any more, kills it and starts another.
// twin: test/unit/app-supervise-workers.test.ts > is killed after the limit and replaced
// twin: test/unit/app-watch-workers.test.ts > takes none for silent that was not heard while the watching process stood still

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { constantModel } from '../support/onnx-model.ts';
import {
  CONFIG,
  createProject,
  headraceJson,
  type Project,
  REPOSITORY,
  type ServerProcess,
  startServeWithLimits,
} from '../support/serving-project.ts';
import { ask, connectToBoth, workersOf } from '../support/worker-processes.ts';

const JSON_BODY = { 'content-type': 'application/json' };
/** An amount of -1 is never done with. */
const ENDLESS = REPOSITORY.replace(
  'request.amount != null && customer.mean_7d ?',
  'endless(request.amount) && customer.mean_7d ?',
).concat(`
function endless(amount: number | null): amount is number {
  let rounds = 0;
  while (amount === -1) rounds++;
  return amount !== null && rounds === 0;
}
`);
const SILENCE_MS = 4000;
const KILLED = 'a worker told nothing for too long and is killed';

let project: Project;
let server: ServerProcess;
beforeEach(async () => {
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': ENDLESS,
    'quarter.onnx': constantModel(4, 0.25),
  });
  headraceJson(project, ['apply']);
  headraceJson(project, ['models', 'register', 'returns', 'quarter.onnx']);
  server = await startServeWithLimits(project, { silenceMs: SILENCE_MS });
}, 60_000);
afterEach(() => {
  server.process.kill('SIGKILL');
  project.remove();
});

describe('a server with two workers', { timeout: 300_000 }, () => {
  it('replaces one that hangs, and who came to it is answered by another', async () => {
    const primary = server.process.pid as number;
    try {
      const [kept, victim] = await connectToBoth(server.url);
      process.kill(victim.pid, 'SIGSTOP');
      const asked = Promise.all(Array.from({ length: 4 }, () => ask(false, `${server.url}/health/live`)));
      await expect.poll(() => workersOf(primary).includes(victim.pid), { timeout: 60_000 }).toBe(false);
      await asked;
      const line =
        server
          .log()
          .split('\n')
          .find((one) => one.includes(KILLED)) ?? '{}';
      const { pid, silentMs } = JSON.parse(line) as { pid?: number; silentMs?: number };
      expect(pid).toBe(victim.pid);
      expect(silentMs).toBeGreaterThan(SILENCE_MS - 500);
      const both = await connectToBoth(server.url);
      expect(both.map((one) => one.pid)).toContain(kept.pid);
      for (const { agent } of [kept, victim, ...both]) agent.destroy();
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('replaces one that is in a loop without an end, of a function of the definitions', async () => {
    try {
      const body = '{"inputs":[{"customer":"ada","amount":-1}]}';
      const asked = fetch(`${server.url}/v1/endpoints/checkout/predict`, { method: 'POST', body, headers: JSON_BODY });
      await expect(asked).rejects.toThrow();
      expect(server.log()).toContain(KILLED);
      for (const { agent } of await connectToBoth(server.url)) agent.destroy();
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});
