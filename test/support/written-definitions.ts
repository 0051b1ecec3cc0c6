// Definitions as users write them: a flights source, a view of it, and what compiling them gives.

import { expect } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { compileDefinitions, type Definitions } from '../../src/definitions/index.ts';
import {
  count,
  csv,
  endpoint,
  entity,
  featureService,
  featureView,
  delta,
  iceberg,
  kafka,
  latest,
  model,
  mysql,
  onDemandView,
  parquet,
  pipeline,
  postgres,
  pushed,
  query,
  python,
  snowflake,
  sql,
  t,
  trainingSet,
} from '../../src/index.ts';

/** Exports of one file, compiled. */
export function compile(
  objects: Readonly<Record<string, unknown>>,
  order: (names: string[]) => string[] = (names) => names,
): Definitions {
  const exports = order(Object.keys(objects)).map((name) => ({ file: 'features.ts', name, value: objects[name] }));
  return compileDefinitions(exports, { project: 'flights', directory: '/repo' });
}

/** The mistakes of definitions, as `object: message`. */
export function mistakesOf(objects: Readonly<Record<string, unknown>>): string[] {
  try {
    compile(objects);
  } catch (error) {
    expect(error).toBeInstanceOf(HeadraceError);
    expect(error).toMatchObject({ code: 'HR_DEFINITION' });
    return (error as HeadraceError).details.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

export const airport = entity('airport', { keys: { airport: t.string() } });
export const flights = parquet('flights', {
  path: 'flights.parquet',
  columns: {
    origin: t.string(),
    seats: t.int32(),
    miles: t.int64(),
    delay: t.float64(),
    distance: t.float32(),
    at: t.timestamp(),
    tags: t.list(t.string()),
  },
  derive: {
    is_late: [t.float64(), (row) => (row.delay == null ? null : row.delay > 15 ? 1 : 0)],
    bucket: [t.int32(), sql`CAST(distance / 250 AS INTEGER)`],
  },
  eventTime: 'at',
});
export const delays = featureView('delays', {
  entity: airport,
  source: flights,
  keys: { airport: 'origin' },
  features: { d: latest('delay'), n: count().over('1d') },
});
// Plain JavaScript users have no compiler: these check what it would have refused.
// oxlint-disable-next-line typescript/no-explicit-any
export type Untyped = any;
export const loose = {
  featureView,
  onDemandView,
  featureService,
  parquet,
  postgres,
  mysql,
  snowflake,
  endpoint,
  model,
  entity,
  pipeline,
  csv,
  delta,
  iceberg,
  kafka,
  pushed,
  query,
  python,
  trainingSet,
} as Record<string, Untyped>;
export const view = (name: string, more: object): unknown =>
  loose['featureView'](name, {
    entity: airport,
    source: flights,
    keys: { airport: 'origin' },
    features: { d: latest('delay') },
    ...more,
  });
