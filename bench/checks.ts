// What checks and profiles cost a materialize: the same views of the same rows with and without them, in turn, each into a
// store of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  contentHash,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  silentLogger,
  silentProgress,
  systemClock,
} from '../src/core/index.ts';
import type { Definitions, Expectation, FeatureSpec, Manifest, SourceSpec } from '../src/definitions/index.ts';
import { materialize } from '../src/offline/index.ts';
import { openOnlineStore } from '../src/online/index.ts';
import { openDatabase, openDuckDb } from '../src/storage/index.ts';
import { median } from './median.ts';
import type { Section } from './report.ts';

/** Of the time without. */
const MOST = 1.15;

const EXPECT: readonly Expectation[] = [
  { rule: 'notNull', column: 'id', onFail: 'fail' },
  { rule: 'between', column: 'c0', min: 0, max: 1000, onFail: 'quarantine' },
  { rule: 'between', column: 'c1', min: 0, max: 900, onFail: 'warn' },
  { rule: 'oneOf', column: 'kind', values: ['a', 'b', 'c'], onFail: 'warn' },
  { rule: 'fresh', withinMicros: 36_500 * MICROS_PER_DAY, onFail: 'fail' },
  { rule: 'rowCount', min: 1, onFail: 'fail' },
];
const EXPECT_OF_VIEW: readonly Expectation[] = [{ rule: 'between', column: 'c2', min: 0, max: 2000, onFail: 'warn' }];

const COLUMNS = Array.from({ length: 6 }, (_, i) => `c${i}`);

interface ChecksFigures {
  readonly view: string;
  readonly plainSeconds: number;
  readonly checkedSeconds: number;
}

async function measureChecks(sizes: { readonly rows: number; readonly keys: number; readonly rounds: number }) {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), memory: '2GB' });
  try {
    const file = join(directory, 'rows.parquet');
    const connection = await duckdb.connect();
    const values = COLUMNS.map((name, i) => `CAST((i * ${i + 3}) % 997 AS DOUBLE) AS ${name}`);
    await connection.run(
      `COPY (SELECT 'key ' || (i * 7919) % ${sizes.keys} AS id, chr(97 + CAST(i % 4 AS INTEGER)) AS kind, ${values.join(', ')},
        TIMESTAMP '2024-01-01' + to_seconds(i) AS "at" FROM range(${sizes.rows}) t(i)) TO '${file}' (FORMAT parquet)`,
    );
    connection.closeSync();
    const figures: ChecksFigures[] = [];
    for (const view of ['latest', 'windows'] as const) {
      const [plain, checked]: [number[], number[]] = [[], []];
      for (let round = 0; round < sizes.rounds; round++) {
        const run = async (isChecked: boolean) => {
          const name = `${view}-${round}-${isChecked}`;
          const database = await openDatabase(`sqlite:${join(directory, `${name}.db`)}`);
          const store = await openOnlineStore(`lmdb:${join(directory, name)}`, {
            project: 'bench',
            clock: systemClock,
          });
          try {
            const definitions = definitionsOf(manifestOf(file, view, isChecked), directory);
            const kept = { logger: silentLogger, progress: silentProgress, keepsProfiles: isChecked };
            const deps = { definitions, database, duckdb, store, clock: systemClock, ...kept };
            const start = performance.now();
            await materialize(
              { ...deps, log: undefined, dataDirectory: directory },
              { incremental: false, dryRun: false },
            );
            return (performance.now() - start) / 1000;
          } finally {
            await store.close();
            await database.close();
            rmSync(join(directory, name), { recursive: true, force: true });
          }
        };
        // In turn, and each first as often as the other: what came before warms.
        if (round % 2 === 0) plain.push(await run(false));
        checked.push(await run(true));
        if (round % 2 === 1) plain.push(await run(false));
      }
      figures.push({ view, plainSeconds: median(plain), checkedSeconds: median(checked) });
    }
    return figures;
  } finally {
    await duckdb.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function checksSection(isQuick: boolean): Promise<Section> {
  const sizes = isQuick ? { rows: 200_000, keys: 50_000, rounds: 2 } : { rows: 3_000_000, keys: 500_000, rounds: 5 };
  const figures = await measureChecks(sizes);
  return {
    title: 'Checks and profiles',
    about: `A full materialize of ${sizes.rows.toLocaleString('en-US')} rows and ${sizes.keys.toLocaleString('en-US')} keys into LMDB (medians), with six rules of the source, one of which sets rows apart, one of the view’s values, and the run’s profile, against the same without any of it.`,
    figures: figures.map(({ view, plainSeconds, checkedSeconds }) => {
      const ratio = checkedSeconds / plainSeconds;
      return {
        name: `a view of ${view === 'latest' ? 'latest rows' : 'windows'}`,
        value: `${checkedSeconds.toFixed(2)} s`,
        floor: `without: ${plainSeconds.toFixed(2)} s`,
        ratio: ratio.toFixed(2),
        mustBe: `≤ ${MOST}`,
        isReached: ratio <= MOST,
      };
    }),
  };
}

function definitionsOf(manifest: Manifest, directory: string): Definitions {
  return { manifest, hash: contentHash(manifest), functions: new Map(), bundles: new Map(), directory };
}

function manifestOf(path: string, view: 'latest' | 'windows', isChecked: boolean): Manifest {
  const float64 = { kind: 'float64' } as const;
  const string = { kind: 'string' } as const;
  const week = { windowMicros: 7 * MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR };
  const source: SourceSpec = {
    name: 'rows',
    kind: 'parquet',
    location: { path },
    columns: [
      { name: 'id', type: string },
      { name: 'kind', type: string },
      { name: 'at', type: { kind: 'timestamp' } },
      ...COLUMNS.map((name) => ({ name, type: float64 })),
    ],
    derive: [],
    eventTime: 'at',
    knownTime: { kind: 'after', micros: 0 },
    pushes: 'until-materialized',
    ...(isChecked && { expect: EXPECT }),
  };
  const features = COLUMNS.map((column): FeatureSpec => {
    const aggregation =
      view === 'latest' ? ({ op: 'latest', column } as const) : ({ op: 'mean', column, ...week } as const);
    return { name: column, type: float64, aggregation };
  });
  return {
    format: 1,
    project: 'bench',
    entities: { thing: { name: 'thing', keys: [{ name: 'id', type: string }] } },
    sources: { rows: source },
    views: {
      rows: {
        name: 'rows',
        entity: 'thing',
        source: 'rows',
        keyColumns: ['id'],
        ttlMicros: null,
        features,
        freshness: { kind: 'live' },
        ...(isChecked && { expect: EXPECT_OF_VIEW }),
      },
    },
    onDemandViews: {},
    services: {},
    models: {},
    endpoints: {},
    pipelines: {},
  };
}
