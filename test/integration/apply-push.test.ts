// Pushed rows into all live views of a source; and again from the log, as after a crash between log and store.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EncodedKey, encodeKey, MICROS_PER_HOUR, type Row, systemClock } from '../../src/core/index.ts';
import { type Manifest, resolveService, type SourceSpec, type ViewSpec } from '../../src/definitions/index.ts';
import {
  applyPush,
  createFeatureReader,
  type OnlineStore,
  openOnlineStore,
  openPushLog,
  type PushLog,
  replayPushLog,
  setWatermark,
} from '../../src/online/index.ts';
import { airportDelays, flightsManifest } from '../support/manifests.ts';

const NOW = 1_790_000_000_000_000;
const scheduled: ViewSpec = {
  ...airportDelays,
  name: 'scheduled',
  freshness: { kind: 'scheduled', everyMicros: MICROS_PER_HOUR, lagMicros: 0 },
};
const manifest: Manifest = { ...flightsManifest, views: { ...flightsManifest.views, scheduled } };
const source = manifest.sources['flights'] as SourceSpec;
const flight = (origin: string | null, delay: number, hoursAgo: number | null): Row => ({
  origin,
  delay,
  departed_at: hoursAgo === null ? null : NOW - hoursAgo * MICROS_PER_HOUR,
  landed_at: hoursAgo === null ? null : NOW - hoursAgo * MICROS_PER_HOUR + 1,
});

describe('a push', () => {
  let folder: string;
  let store: OnlineStore;
  let log: PushLog;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-apply-'));
    store = await openOnlineStore(`lmdb:${join(folder, 'online')}`, { project: 'test', clock: systemClock });
    log = openPushLog(join(folder, 'pushes'), { clock: systemClock });
  });
  afterEach(async () => {
    await store.close();
    await log.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const read = async () => {
    const reader = createFeatureReader(manifest, resolveService(manifest, 'delay_features'), store);
    const key = encodeKey([{ kind: 'string' }], ['ATL']) as EncodedKey;
    const [row] = await reader.read([[key]], NOW, () => undefined);
    return row?.[0]?.values;
  };
  const rows = [flight('ATL', 10, 2), flight('ATL', 20, 1), flight(null, 30, 1), flight('ATL', 40, null)];
  const append = () =>
    log.append(source, { rows: rows.map((row) => ({ row, knownMicros: (row['landed_at'] as number | null) ?? NOW })) });

  it('reaches the live views, counts rows that match nothing, and leaves scheduled views alone', async () => {
    const appended = await append();
    const summary = await applyPush(store, manifest, 'flights', appended.rows);
    expect(summary).toEqual({
      views: { airport_delays: { written: 1, skipped: 0 } },
      withoutEventTime: 1,
      withoutKey: { airport_delays: 1 },
    });
    expect(await read()).toEqual([20, 2n, 15]);
    expect((await applyPush(store, manifest, 'flights', appended.rows)).views).toEqual({
      airport_delays: { written: 0, skipped: 2 },
    });
    expect(await read()).toEqual([20, 2n, 15]);
  });

  it('that a crash kept from the store is applied from the log, once', async () => {
    await append();
    expect(await replayPushLog(log, store, manifest, 'flights', (rows) => rows)).toBe(4);
    expect(await replayPushLog(log, store, manifest, 'flights', (rows) => rows)).toBe(4);
    expect(await read()).toEqual([20, 2n, 15]);
  });

  it('is not applied again past the watermark of a materialize', async () => {
    await append();
    await setWatermark(store, 'airport_delays', NOW);
    expect(await replayPushLog(log, store, manifest, 'flights', (rows) => rows)).toBe(0);
  });
});
