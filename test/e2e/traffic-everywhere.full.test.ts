// Traffic that is changed at one server, with several workers and a second server on the same registry: once it is answered,
// all of them predict by it.
// twin: test/contract/registry-traffic-changes.test.ts > is answered once both serve it, where they tell what they serve

import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

let project: Project;
let servers: readonly ServerProcess[] = [];
beforeAll(async () => {
  project = createServingProject();
  servers = await Promise.all([startServe(project, ['--workers', '2']), startServe(project)]);
}, 90_000);
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  project.remove();
}, 60_000);

/** On a connection of its own, so that the workers take turns. */
function send(method: string, url: string, body: object): Promise<{ readonly status: number; readonly body: Told }> {
  const agent = new Agent({ keepAlive: false });
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, agent, headers: { 'content-type': 'application/json' } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as Told }));
    });
    asking.on('error', reject).end(JSON.stringify(body));
  });
}

interface Told {
  readonly waits_for?: readonly string[];
  readonly predictions: readonly { readonly version: number }[];
}

it('is answered once every worker of every server predicts by it', { timeout: 60_000 }, async () => {
  for (const version of [2, 1, 2, 1, 2]) {
    const variants = [{ name: 'stable', version, weight: 100 }];
    const set = await send('PUT', `${servers[0]?.url}/v1/endpoints/checkout`, { variants });
    expect(set).toMatchObject({ status: 200, body: { waits_for: [] } });
    const predicted = await Promise.all(
      servers.flatMap(({ url }) =>
        Array.from({ length: 8 }, () =>
          send('POST', `${url}/v1/endpoints/checkout/predict`, { inputs: [{ customer: 'ada', amount: 1 }] }),
        ),
      ),
    );
    expect(new Set(predicted.map(({ body }) => body.predictions[0]?.version))).toEqual(new Set([version]));
  }
});

it('is shown by each worker of every server', () => {
  const { stdout } = headrace(project, ['endpoints', 'show', 'checkout']);
  const [first, ...servers] = stdout.trimEnd().split('\n').slice(4);
  expect(first).toMatch(/^SERVER +STATE +VERSIONS$/);
  expect(servers).toHaveLength(3);
  for (const line of servers) expect(line).toMatch(/^\S+ \d+ +serving +2$/);
  const told = { state: 'serving', versions: [2], reason: null };
  expect(headraceJson(project, ['endpoints', 'show', 'checkout'])).toMatchObject({
    waitsFor: [],
    servers: [told, told, told],
  });
});
