// `server.drainDelayMs`: a server that is told to stop says so at once by its readiness, and goes on taking connections and
// answering until whoever balances has had the time to look.
// twin: test/unit/app-stop-serving.test.ts > is not ready at once, and goes on answering for the drain delay
// twin: test/unit/app-stop-serving.test.ts > waits for no balancer

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

let project: Project;
beforeAll(() => {
  project = createServingProject();
}, 60_000);
afterAll(() => project.remove());

/** Over a new connection; 0 where none could be had. */
async function statusOf(url: string, body?: string): Promise<number> {
  try {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(5000),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

const readiness = ({ url }: ServerProcess): Promise<number> => statusOf(`${url}/health/ready`);
const predict = ({ url }: ServerProcess): Promise<number> =>
  statusOf(`${url}/v1/endpoints/checkout/predict`, '{"inputs":[{"customer":"ada","amount":1}]}');

describe.each([1, 2])('%d worker(s) that are told to stop', { timeout: 300_000 }, (workers) => {
  const start = (delayMs: number): Promise<ServerProcess> =>
    startServe(project, ['--workers', String(workers)], { HEADRACE_SERVER_DRAIN_DELAY_MS: String(delayMs) });

  it('end at once when they are told again', async () => {
    const server = await start(600_000);
    try {
      const stopped = server.stop();
      await expect.poll(() => readiness(server), { timeout: 60_000 }).toBe(503);
      expect(await predict(server)).toBe(200);
      server.process.kill('SIGINT');
      expect(await stopped).toBe(0);
    } finally {
      server.process.kill('SIGKILL');
    }
  });
});
