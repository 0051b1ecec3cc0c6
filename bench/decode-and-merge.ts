// What a feature read costs on LMDB: a packed row's decode, a window's merge, and a whole read of three views with
// twelve features. Prints nanoseconds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EncodedKey, encodeKey, MICROS_PER_DAY, MICROS_PER_HOUR, systemClock } from '../src/core/index.ts';
import { type FeatureSpec, type Manifest, resolveService, type ViewSpec } from '../src/definitions/index.ts';
import { createFeatureReader, createViewCodec, type OnlineStore, openOnlineStore, writePushed } from '../src/online/index.ts';

const KEYS = 1000;
const NOW = 1_790_000_000_000_000;
const float64 = { kind: 'float64' } as const;
const string = { kind: 'string' } as const;

const rowView = (name: string, columns: readonly string[]): ViewSpec => ({
  name,
  entity: 'e',
  source: 's',
  keyColumns: ['k'],
  ttlMicros: 30 * MICROS_PER_DAY,
  freshness: { kind: 'live' },
  features: columns.map((column) => ({ name: column, type: column === 't' ? string : float64, aggregation: { op: 'latest', column } })),
});
const window = (name: string, op: 'count' | 'mean'): FeatureSpec => ({
  name,
  type: op === 'count' ? { kind: 'int64' } : float64,
  aggregation: { op, column: op === 'count' ? null : 'a', windowMicros: 7 * MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR },
});
const views: Record<string, ViewSpec> = {
  rows: rowView('rows', ['a', 'b', 'c', 'd', 't']),
  more: rowView('more', ['a', 'b', 'c', 'd', 't']),
  windows: { ...rowView('windows', []), features: [window('n', 'count'), window('m', 'mean')] },
};
const members = (names: readonly string[]) =>
  names.map((view) => ({
    kind: 'view' as const, role: view, view, keyColumns: ['k'], features: (views[view] as ViewSpec).features.map(({ name }) => name),
  }));
const manifest: Manifest = {
  format: 1, project: 'bench', onDemandViews: {}, models: {}, endpoints: {}, pipelines: {}, views,
  entities: { e: { name: 'e', keys: [{ name: 'k', type: string }] } },
  sources: {
    s: {
      name: 's', kind: 'pushed', location: {}, derive: [], eventTime: 'at', knownTime: { kind: 'after', micros: 0 }, pushes: 'keep',
      columns: [
        { name: 'k', type: string }, { name: 'at', type: { kind: 'timestamp' } }, { name: 't', type: string },
        ...['a', 'b', 'c', 'd'].map((name) => ({ name, type: float64 })),
      ],
    },
  },
  services: Object.fromEntries(
    [['rows'], ['windows'], ['rows', 'more', 'windows']].map((names) => [names.join('+'), { name: names.join('+'), members: members(names) }]),
  ),
};

/** Nanoseconds per operation, by name. */
export async function measureDecodeAndMerge(): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const store = await openOnlineStore(`lmdb:${folder}`, { project: 'bench', clock: systemClock });
  try {
    const keys = Array.from({ length: KEYS }, (_, index) => encodeKey([string], [`key ${index}`]) as EncodedKey);
    await fill(store, keys);
    return {
      'read of one row of 5 columns': measure(store, 'rows', 1, keys),
      'read of two windows over 24 hourly tiles': measure(store, 'windows', 1, keys),
      'read of 3 views with 12 features': measure(store, 'rows+more+windows', 3, keys),
    };
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(store: OnlineStore, keys: readonly EncodedKey[]): Promise<void> {
  for (const view of Object.keys(views)) {
    const codec = createViewCodec(manifest, view);
    const events = keys.flatMap((key, index) =>
      Array.from({ length: view === 'windows' ? 24 : 1 }, (_, hour) => {
        const at = NOW - hour * MICROS_PER_HOUR;
        return { key, eventMicros: at, knownMicros: at, order: at, row: { a: index, b: 0.5, c: null, d: hour, t: 'text' } };
      }),
    );
    await writePushed(store, codec, events);
  }
}

function measure(store: OnlineStore, service: string, width: number, keys: readonly EncodedKey[]): number {
  const reader = createFeatureReader(manifest, resolveService(manifest, service), store);
  const requests = keys.map((key) => [new Array<EncodedKey>(width).fill(key)]);
  const pass = (): number => {
    const from = performance.now();
    for (let round = 0; round < 50; round++) for (const request of requests) reader.read(request, NOW, () => undefined);
    return ((performance.now() - from) * 1e6) / (50 * KEYS);
  };
  pass();
  return Math.round(Math.min(pass(), pass(), pass()));
}

if (import.meta.main) {
  for (const [name, nanos] of Object.entries(await measureDecodeAndMerge())) console.log(`${name}: ${nanos} ns`);
}
