// What a server tells of the models in its memory.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({ repository: REPOSITORY, features: 4, settings: { HEADRACE_MODELS_MEMORY: '64MiB' } });
});
afterAll(() => open.close());

it('the status tells which models are loaded, by whom they are held and what they take', async () => {
  const answer = await open.serving.server.inject('/v1/status');
  const { models } = answer.json() as { models: { loaded: { artifact: string; memory_bytes: number }[] } };
  expect(models).toMatchObject({ limit_bytes: 64 * 1024 ** 2, loads: 1, failed_loads: 0, evictions: 0 });
  expect(models.loaded).toMatchObject([{ state: 'ready', holders: 1, placement: 'inline', providers: ['cpu'] }]);
  // Of its four nodes the runtime folds those away that compute the same for any row.
  const nodes = (models.loaded[0] as unknown as { nodes_by_provider: Record<string, number> }).nodes_by_provider;
  expect(Object.keys(nodes)).toEqual(['cpu']);
  expect(nodes['cpu']).toBeGreaterThan(0);
  const [loaded] = models.loaded;
  expect(loaded?.artifact).toMatch(/^[0-9a-f]{64}$/);
  expect(models).toMatchObject({ memory_bytes: loaded?.memory_bytes });
  expect(loaded?.memory_bytes).toBeGreaterThan(100);
});
