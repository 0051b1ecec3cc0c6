// `headrace features get --at`, of a time that the online store is past.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headraceHereJson } from '../support/typed-command.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';

const REPOSITORY = `import { count, csv, entity, featureService, featureView, latest, t } from 'headrace';
export const shop = entity('shop', { keys: { shop: t.string() } });
export const sales = csv('sales', {
  path: 'data/sales.csv',
  columns: { shop: t.string(), price: t.float64(), at: t.timestamp() },
  eventTime: 'at',
});
export const sold = featureView('sold', {
  entity: shop, source: sales, features: { last_price: latest('price'), sales_1d: count().over('1d') },
});
export const service = featureService('shop_features', [sold]);
`;
const SALES = 'shop,price,at\na,1,2024-01-01T10:00:00Z\na,2,2024-01-05T10:00:00Z\nb,3,2024-01-05T11:00:00Z\n';

describe('features get --at, before the last run', () => {
  let project: Project;
  beforeAll(async () => {
    project = createProject({
      'headrace.config.ts': CONFIG,
      'feature_repo/shop.ts': REPOSITORY,
      'feature_repo/data/sales.csv': SALES,
    });
    await headraceHereJson(project, ['apply']);
    await headraceHereJson(project, ['materialize', '--from', '2020-01-01']);
  });
  afterAll(() => project.remove());
  const read = async (...more: string[]) => {
    const rows = '[{"shop":"a"},{"shop":"b"}]';
    const { rows: read } = (await headraceHereJson(project, [
      'features',
      'get',
      '--service',
      'shop_features',
      '--rows',
      rows,
      ...more,
    ])) as { rows: { features: object; statuses: object }[] };
    return read.map(({ features, statuses }) => ({ ...features, statuses: Object.values(statuses) }));
  };

  it('gives what was known then, rows and windows that the store no longer has', async () => {
    expect(await read('--at', '2024-01-01T12:00:00Z')).toEqual([
      { sold__last_price: 1, sold__sales_1d: 1, statuses: [] },
      { sold__last_price: null, sold__sales_1d: 0, statuses: ['NOT_FOUND', 'NOT_FOUND'] },
    ]);
    expect(await read('--at', '2024-01-05T11:00:00Z')).toEqual([
      { sold__last_price: 2, sold__sales_1d: 1, statuses: [] },
      { sold__last_price: 3, sold__sales_1d: 1, statuses: [] },
    ]);
    expect(await read()).toMatchObject([
      { sold__last_price: 2, sold__sales_1d: 0 },
      { sold__last_price: 3, sold__sales_1d: 0 },
    ]);
  });
});
