// Definitions as users write them: a flights source, a view of it, and what compiling them gives.

import { expect } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { compileDefinitions, type Definitions } from '../../src/definitions/index.ts';
import * as hr from '../../src/index.ts';

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

export const airport = hr.entity('airport', { keys: { airport: hr.t.string() } });
export const flights = hr.parquet('flights', {
  path: 'flights.parquet',
  columns: {
    origin: hr.t.string(),
    seats: hr.t.int32(),
    miles: hr.t.int64(),
    delay: hr.t.float64(),
    distance: hr.t.float32(),
    at: hr.t.timestamp(),
    tags: hr.t.list(hr.t.string()),
  },
  derive: {
    is_late: [hr.t.float64(), (row) => (row.delay == null ? null : row.delay > 15 ? 1 : 0)],
    bucket: [hr.t.int32(), hr.sql`CAST(distance / 250 AS INTEGER)`],
  },
  eventTime: 'at',
});
export const delays = hr.featureView('delays', {
  entity: airport,
  source: flights,
  keys: { airport: 'origin' },
  features: { d: hr.latest('delay'), n: hr.count().over('1d') },
});
// Plain JavaScript users have no compiler: these check what it would have refused.
// oxlint-disable-next-line typescript/no-explicit-any
export type Untyped = any;
export const loose = hr as Record<string, Untyped>;
export const view = (name: string, more: object): unknown =>
  loose['featureView'](name, {
    entity: airport,
    source: flights,
    keys: { airport: 'origin' },
    features: { d: hr.latest('delay') },
    ...more,
  });
