// The guide on finding a prediction again, typed from top to bottom beside a server that has predicted.
// twin: test/integration/monitoring-find.test.ts > is found by its id in segments, in Parquet of any hour, and in what earlier builds wrote

import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/find-a-prediction.md');

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createServingProject();
  server = await startServe(project);
  const response = await fetch(`${server.url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: ['ada', 'bob', 'nobody'].map((customer) => ({ customer, amount: 7.5 })) }),
  });
  expect(response.status).toBe(200);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

it('shows what its commands print', () => {
  const shown = runGuide(GUIDE, project);
  expect(shown.length).toBe(3);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
}, 200_000);
