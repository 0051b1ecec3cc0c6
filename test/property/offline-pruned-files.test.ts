// A training set opens the files that can have a part in it, and no other changes what it holds: against the oracle, which
// reads them all.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_DAY, MICROS_PER_HOUR, type Row } from '../../src/core/index.ts';
import type { FeatureSpec, Manifest } from '../../src/definitions/index.ts';
import { createTrainingSet } from '../../src/offline/index.ts';
import {
  definitionsOf,
  fields,
  type OfflineWorld,
  oneView,
  openOfflineWorld,
  readParquet,
  sourceOf,
  TYPES,
  viewOf,
  writeParquet,
} from '../support/offline-world.ts';
import { expectRows, oracleTrainingSet } from '../support/oracle.ts';
import { runs } from '../support/tier.ts';

let world: OfflineWorld;
beforeAll(async () => {
  world = await openOfflineWorld();
});
afterAll(() => world.close());

/** A midnight. */
const BASE = 1_699_920_000_000_000;
const DAYS = 12;
const COLUMNS = fields({ k: TYPES.string, at: TYPES.timestamp, known: TYPES.timestamp, n: TYPES.int64 });
const SPINE = fields({ when: TYPES.timestamp, k: TYPES.string });

const time = fc
  .tuple(fc.nat({ max: DAYS * 24 - 1 }), fc.constantFrom(0, 0, -1, 1))
  .map(([hours, micros]) => Math.max(BASE, BASE + hours * MICROS_PER_HOUR + micros));
const row = fc.record({
  k: fc.constantFrom('a', 'b', null),
  at: time,
  lateDays: fc.constantFrom(0, 0, 0.5, 3),
  n: fc.option(fc.bigInt({ min: -5n, max: 5n }), { nil: null }),
});
const setting = fc.record({
  hasFolders: fc.boolean(),
  ttlDays: fc.constantFrom(null, 1, 3),
  windowDays: fc.constantFrom(0.25, 1, 2),
  hopHours: fc.constantFrom(1, 24),
  isWindowed: fc.boolean(),
  isScheduled: fc.boolean(),
  boundary: fc.constantFrom('at', 'before'),
});
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

function manifestFor(given: Setting, path: string): Manifest {
  const { hasFolders, ttlDays, windowDays, hopHours, isWindowed, isScheduled } = given;
  const latest: FeatureSpec = { name: 'last_n', type: TYPES.int64, aggregation: { op: 'latest', column: 'n' } };
  const sum: FeatureSpec = {
    name: 'sum_n',
    type: TYPES.int64,
    aggregation: {
      op: 'sum',
      column: 'n',
      windowMicros: windowDays * MICROS_PER_DAY,
      hopMicros: hopHours * MICROS_PER_HOUR,
    },
  };
  const features = isWindowed ? [sum] : [latest, sum];
  const events = sourceOf('events', path, COLUMNS, {
    knownTime: { kind: 'column', column: 'known' },
    ...(hasFolders ? { partitions: { dt: 'date' } as const } : {}),
  });
  const view = viewOf('v', 'e', 'events', ['k'], features, {
    ttlMicros: ttlDays === null ? null : ttlDays * MICROS_PER_DAY,
    freshness: isScheduled
      ? { kind: 'scheduled', everyMicros: 6 * MICROS_PER_HOUR, lagMicros: MICROS_PER_HOUR }
      : { kind: 'live' },
  });
  return oneView(events, view);
}

describe('files by day', () => {
  it('are opened where they can matter, and the others make no difference', { timeout: 120_000 }, async () => {
    let made = 0;
    let skipped = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 5, maxLength: 40 }),
        fc.array(fc.record({ when: fc.option(time, { nil: null, freq: 8 }), k: fc.constantFrom('a', 'b') }), {
          minLength: 1,
          maxLength: 3,
        }),
        setting,
        async (given, spine, how) => {
          const folder = join(world.directory, `run-${made++}`);
          const rows = given.map(
            ({ lateDays, ...one }): Row => ({ ...one, known: one.at + lateDays * MICROS_PER_DAY }),
          );
          const days = new Set(rows.map(({ at }) => formatTimestamp(at as number).slice(0, 10)));
          for (const day of days) {
            mkdirSync(join(folder, `dt=${day}`), { recursive: true });
            const own = rows.filter(({ at }) => formatTimestamp(at as number).startsWith(day));
            await writeParquet(world.connection, join(folder, `dt=${day}`, 'rows.parquet'), COLUMNS, own);
          }
          const spinePath = join(folder, 'spine.parquet');
          await writeParquet(world.connection, spinePath, SPINE, spine as Row[]);
          const manifest = manifestFor(how, join(folder, 'dt=*/*.parquet'));
          const set = await createTrainingSet(
            { ...world.deps, definitions: definitionsOf(manifest, world.directory), dataDirectory: folder },
            {
              service: 's',
              spine: spinePath,
              timestamp: 'when',
              labels: [],
              boundary: how.boundary as 'at' | 'before',
              out: join(folder, 'out.parquet'),
            },
          );
          const opened = set.sources[0]?.files.length ?? 0;
          expect(opened + (set.sources[0]?.skippedFiles ?? 0)).toBe(days.size);
          skipped += days.size - opened;
          const oracle = { manifest, rows: { events: rows } };
          const expected = oracleTrainingSet(oracle, 's', spine as Row[], 'when', how.boundary as 'at' | 'before');
          const output = [
            ...SPINE,
            ...(manifest.views['v']?.features ?? []).map((f) => ({ ...f, name: `v__${f.name}` })),
          ];
          const got = await readParquet(world.connection, set.path, output);
          expectRows(output, got, expected);
        },
      ),
      { numRuns: runs(25) },
    );
    expect(skipped).toBeGreaterThan(made);
  });
});
