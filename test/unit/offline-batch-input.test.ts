// The rows of a batch from a CSV file: each value is what its request column is declared to be.

import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { UserFunction } from '../../src/definitions/index.ts';
import { ERROR_COLUMN, writeFeatureFile } from '../../src/offline/index.ts';
import { fields, manifestOf, onDemandOf, TYPES, worldOfAll } from '../support/offline-world.ts';

const { string, timestamp, float64 } = TYPES;
const vector = { kind: 'vector', size: 2 } as const;
const words = { kind: 'list', of: string } as const;

const world = worldOfAll();

interface Request {
  readonly point: Float32Array;
  readonly words: readonly string[];
}

const measure: UserFunction = ({ request }: { request: Request }) => ({
  total: (request.point[0] ?? 0) + (request.point[1] ?? 0) + 100 * request.words.length,
});

function depsOf() {
  const features = fields({ total: float64 });
  const given = [{ kind: 'request', name: 'request', columns: fields({ point: vector, words }) }] as const;
  const manifest = manifestOf({
    onDemandViews: { measured: onDemandOf('measured', features, given) },
    services: {
      s: { name: 's', members: [{ kind: 'onDemand', role: 'measured', view: 'measured', features: ['total'] }] },
    },
  });
  return world.depsOf(manifest, { 'onDemand/measured': measure });
}

it('reads vectors and lists, and sets apart the rows whose text is none', async () => {
  const lines = [
    'id,when,point,words',
    'a,2026-01-01,"[1.5, 2]","[x, y]"',
    'b,2026-01-01,"[1, 2, 3]",[x]',
    'c,2026-01-01,far,[x]',
    'd,2026-01-01,"[-1, 0]",[]',
  ];
  await writeFile(world.path('input.csv'), lines.join('\n'));
  const made = await writeFeatureFile(depsOf(), {
    service: 's',
    input: { path: 'input.csv', directory: world.directory },
    timestamp: 'when',
    boundary: 'at',
    badRows: 'mark',
    out: world.path('features.parquet'),
    check: () => undefined,
  });
  expect(made.rows).toBe(4);
  const columns = fields({
    id: string,
    when: timestamp,
    point: vector,
    words,
    measured__total: float64,
    [ERROR_COLUMN]: string,
  });
  const rows = await world.read('features.parquet', columns);
  const none = { point: null, measured__total: null };
  expect(rows).toMatchObject([
    { id: 'a', point: Float32Array.of(1.5, 2), words: ['x', 'y'], measured__total: 203.5, [ERROR_COLUMN]: null },
    {
      id: 'b',
      ...none,
      words: ['x'],
      [ERROR_COLUMN]: expect.stringContaining('column "point" holds [1, 2, 3], which is no vector(2)'),
    },
    {
      id: 'c',
      ...none,
      words: ['x'],
      [ERROR_COLUMN]: expect.stringContaining('column "point" holds far, which is no vector(2)'),
    },
    { id: 'd', point: Float32Array.of(-1, 0), words: [], measured__total: -1, [ERROR_COLUMN]: null },
  ]);
});
