// A training set opens the files that can have a part in it, and no other changes what it holds: against the oracle, which
// reads them all.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_DAY, MICROS_PER_HOUR, type Row } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import { fields, oneView, sourceOf, TYPES, viewOf, worldOfAll, latest, windowed } from '../support/offline-world.ts';
import { expectRows, oracleTrainingSet } from '../support/oracle.ts';
import { runs } from '../support/tier.ts';

const world = worldOfAll();

/** A midnight. */
const BASE = 1_699_920_000_000_000;
const DAYS = 12;
const { string, timestamp, int64 } = TYPES;
const COLUMNS = fields({ k: string, at: timestamp, known: timestamp, n: int64 });
const SPINE = fields({ when: timestamp, k: string });

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
  boundary: fc.constantFrom('at' as const, 'before' as const),
});
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

function manifestFor(given: Setting, path: string): Manifest {
  const { hasFolders, ttlDays, windowDays, hopHours, isWindowed, isScheduled } = given;
  const sum = windowed('sum_n', int64, 'sum', 'n', windowDays * MICROS_PER_DAY, hopHours * MICROS_PER_HOUR);
  const features = isWindowed ? [sum] : [latest('last_n', int64, 'n'), sum];
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
          const folder = world.path(`run-${made++}`);
          const rows = given.map(
            ({ lateDays, ...one }): Row => ({ ...one, known: one.at + lateDays * MICROS_PER_DAY }),
          );
          const days = new Set(rows.map(({ at }) => formatTimestamp(at as number).slice(0, 10)));
          for (const day of days) {
            mkdirSync(join(folder, `dt=${day}`), { recursive: true });
            const own = rows.filter(({ at }) => formatTimestamp(at as number).startsWith(day));
            await world.put(join(folder, `dt=${day}`, 'rows.parquet'), COLUMNS, own);
          }
          const manifest = manifestFor(how, join(folder, 'dt=*/*.parquet'));
          const { boundary } = how;
          const deps = { ...world.depsOf(manifest), dataDirectory: folder };
          const set = await world.train(deps, [SPINE, spine as Row[]], { boundary });
          const opened = set.sources[0]?.files.length ?? 0;
          expect(opened + (set.sources[0]?.skippedFiles ?? 0)).toBe(days.size);
          skipped += days.size - opened;
          const oracle = { manifest, rows: { events: rows } };
          const expected = oracleTrainingSet(oracle, 's', spine as Row[], 'when', boundary);
          const output = [
            ...SPINE,
            ...(manifest.views['v']?.features ?? []).map((f) => ({ ...f, name: `v__${f.name}` })),
          ];
          expectRows(output, await world.read(set.path, output), expected);
        },
      ),
      { numRuns: runs(25) },
    );
    expect(skipped).toBeGreaterThan(0);
  });
});
