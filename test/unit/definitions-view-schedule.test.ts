// When a view is materialized by itself: part of what is applied, and no part of what its values mean.

import { expect, it } from 'vitest';
import { entity, featureView, latest, parquet, t } from '../../src/index.ts';
import { type Manifest, type ViewSpec, viewVersion } from '../../src/definitions/index.ts';
import { compile } from '../support/written-definitions.ts';
import { plan } from '../support/plans.ts';

const shop = entity('shop', { keys: { shop: t.string() } });
const sales = parquet('sales', {
  path: 'sales.parquet',
  columns: { shop: t.string(), amount: t.float64(), at: t.timestamp() },
  eventTime: 'at',
});

function compiled(
  options: Pick<ViewSpec, 'schedule' | 'timezone'> & { readonly catchUp?: 'latest' | 'none' },
): Manifest {
  const made = { entity: shop, source: sales, features: { last: latest('amount') } } as const;
  return compile({ v: featureView('v', { ...made, ...options }) }).manifest;
}

it('is in its spec, and left out where it is as without it', () => {
  const times = { schedule: '0 3 * * *', timezone: 'Europe/Berlin', catchUp: 'none' } as const;
  expect(compiled(times).views['v']).toMatchObject(times);
  expect(compiled({ ...times, catchUp: 'latest' }).views['v']).not.toHaveProperty('catchUp');
  for (const name of ['schedule', 'timezone', 'catchUp']) expect(compiled({}).views['v']).not.toHaveProperty(name);
});

it('changes no version of the view, and is told by a plan', () => {
  const [was, is] = [compiled({}), compiled({ schedule: '0 3 * * *' })];
  expect(viewVersion(is, 'v')).toBe(viewVersion(was, 'v'));
  const lines = plan(was, is).changes.flatMap((change) => change.lines);
  expect(lines).toEqual([expect.objectContaining({ kind: 'about', text: 'schedule: + "0 3 * * *"' })]);
});
