// A thousand views: applied, changed and served as a few are.
// twin: test/e2e/serve.test.ts > a server of two workers

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIG, createProject, headraceJson, type Project, startServe } from '../support/serving-project.ts';

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

describe(`${VIEWS} views`, () => {
  let project: Project;
  beforeAll(() => {
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/orders.ts': repository('7d') });
  });
  afterAll(() => project.remove());

  it('are applied, take pushes, change all at once, and answer', async () => {
    const counted = (reply: unknown) => (reply as { changes: object[] }).changes.length;
    // With the entity, the source and the service.
    expect(counted(headraceJson(project, ['apply']))).toBe(VIEWS + 3);
    project.write('feature_repo/orders.ts', repository('14d'));
    expect(counted(headraceJson(project, ['apply', '--yes']))).toBeGreaterThanOrEqual(VIEWS);
    const server = await startServe(project);
    const post = async (path: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: answer.status, ...((await answer.json()) as { rows?: { features: Record<string, number> }[] }) };
    };
    try {
      const rows = [{ user: 'ada', amount: 3, at: new Date(Date.now() - 1000).toISOString() }];
      expect(await post('/v1/sources/orders/push', { rows })).toMatchObject({ status: 200 });
      const read = await post('/v1/features/read', { service: 'all', rows: [{ user: 'ada' }] });
      expect(read.status).toBe(200);
      const values = Object.entries(read.rows?.[0]?.features ?? {});
      expect(values.length).toBe(2 * VIEWS);
      expect(values.filter(([name, value]) => value !== (name.endsWith('__orders') ? 1 : 3))).toEqual([]);
      expect((headraceJson(project, ['views']) as { views: object[] }).views.length).toBeGreaterThanOrEqual(VIEWS);
    } finally {
      await server.stop();
    }
  }, 120_000);
});
