// A server that is killed loses what it has not written yet, and nothing else: during a rollout that is about a second.
// twin: test/contract/minutes.test.ts > are whole rows: what was written before is in what is written next

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openMinutes } from '../../src/monitoring/index.ts';
import { createServingProject, type Project, startServe } from '../support/serving-project.ts';

let project: Project;
let app: App;
beforeAll(async () => {
  project = createServingProject();
  app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: project.directory },
    logger: silentLogger,
  });
}, 60_000);
afterAll(async () => {
  await app.close();
  project.remove();
});

it('has all but the last second of a server that was killed', { timeout: 60_000 }, async () => {
  const server = await startServe(project, ['--workers', '1']);
  try {
    const { endpoints } = await app.registry();
    const variants = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    await endpoints.setTraffic(
      'checkout',
      { variants },
      { actor: 'test', rollout: { id: 'r1', candidate: { name: 'candidate', version: 2 } }, waitMs: 20_000 },
    );
    const predict = async (rows: number): Promise<void> => {
      for (let at = 0; at < rows; at++) {
        const answer = await fetch(`${server.url}/v1/endpoints/checkout/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ inputs: [{ customer: `unit ${at}`, amount: 1 }] }),
        });
        expect(answer.status).toBe(200);
      }
    };
    const minutes = await openMinutes(await app.database(), app.clock);
    const written = async (): Promise<number> =>
      (await minutes.read({ endpoint: 'checkout', fromMicros: 0 })).reduce((sum, { rows }) => sum + rows, 0);
    await predict(40);
    // Well within the ten seconds of an endpoint without a rollout.
    await expect.poll(written, { timeout: 8_000, interval: 100 }).toBe(40);
    await predict(40);
    server.process.kill('SIGKILL');
    await expect.poll(() => server.process.signalCode).toBe('SIGKILL');
    const kept = await written();
    expect(kept).toBeGreaterThanOrEqual(40);
    expect(kept).toBeLessThanOrEqual(80);
  } finally {
    server.process.kill('SIGKILL');
  }
});
