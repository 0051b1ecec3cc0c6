// A thousand views: applied, changed and served as a few are.
// twin: test/e2e/serve.test.ts > a server of two workers

import { expect, it } from 'vitest';
import { ownProject, send } from '../support/test-project.ts';

const VIEWS = 1000;
const repository = (
  window: string,
) => `import { count, entity, featureService, featureView, pushed, sum, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
export const orders = pushed('orders', {
  columns: { user: t.string(), amount: t.float64(), at: t.timestamp() }, eventTime: 'at',
});
export const views = Array.from({ length: ${VIEWS} }, (_, i) =>
  featureView(\`view_\${i}\`, {
    entity: user, source: orders, features: { orders: count().over('1d'), spent: sum('amount').over('${window}') },
  }));
export const all = featureService('all', views);
`;

it(`${VIEWS} views are applied, take pushes, change all at once, and answer`, { timeout: 120_000 }, async () => {
  const project = ownProject({ 'feature_repo/orders.ts': repository('7d') });
  const changes = (words: string) => project.json<{ changes: object[] }>(words).changes.length;
  // With the entity, the source and the service.
  expect(changes('apply')).toBe(VIEWS + 3);
  project.write('feature_repo/orders.ts', repository('14d'));
  expect(changes('apply --yes')).toBeGreaterThanOrEqual(VIEWS);
  const { url } = await project.serve();
  const rows = [{ user: 'ada', amount: 3, at: new Date(Date.now() - 1000).toISOString() }];
  expect((await send(`${url}/v1/sources/orders/push`, { rows })).status).toBe(200);
  type Answer = { rows: { features: Record<string, number> }[] };
  const { body } = await send<Answer>(`${url}/v1/features/read`, { service: 'all', rows: [{ user: 'ada' }] });
  const values = Object.entries(body.rows[0]?.features ?? {});
  expect(values.length).toBe(2 * VIEWS);
  expect(values.filter(([name, value]) => value !== (name.endsWith('__orders') ? 1 : 3))).toEqual([]);
  expect(project.json<{ views: object[] }>('views').views.length).toBeGreaterThanOrEqual(VIEWS);
});
