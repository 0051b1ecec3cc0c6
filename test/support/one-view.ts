// One source `events` of files, one view `v` of it by the text column `key`, one service `s`: what a training set and a read
// of the online store say of the same rows.

import { join } from 'node:path';
import {
  type Clock,
  type EncodedKey,
  encodeKey,
  type Field,
  type Micros,
  type Row,
  type Value,
} from '../../src/core/index.ts';
import {
  type FeatureSpec,
  type Manifest,
  resolveService,
  type SourceSpec,
  type ViewSpec,
} from '../../src/definitions/index.ts';
import { auditTrainingSet, createTrainingSet, materialize, type OfflineDeps } from '../../src/offline/index.ts';
import { createFeatureReader, type OnlineStore, type ReadView } from '../../src/online/index.ts';
import type { Database } from '../../src/storage/index.ts';
import { openDirectory } from './materialize-world.ts';
import { definitionsOf, manifestOf, type OfflineWorld, readParquet, sourceOf, TYPES, viewOf } from './offline-world.ts';

export interface OneViewOptions {
  /** The last value of each column but `key`, `at` and `known` when left out. */
  readonly features?: readonly FeatureSpec[];
  readonly source?: Partial<SourceSpec>;
  readonly view?: Partial<ViewSpec>;
}

/** `columns` have `key` and the event time `at`; a column `known` among them is the known time. */
export function oneView(path: string, columns: readonly Field[], options: OneViewOptions = {}): Manifest {
  const { features = latestOf(columns), source, view } = options;
  const knownTime: Partial<SourceSpec> = columns.some(({ name }) => name === 'known')
    ? { knownTime: { kind: 'column', column: 'known' } }
    : {};
  const names = features.map(({ name }) => name);
  return manifestOf({
    entities: { thing: { name: 'thing', keys: [{ name: 'id', type: TYPES.string }] } },
    sources: { events: sourceOf('events', path, columns, { ...knownTime, ...source }) },
    views: { v: viewOf('v', 'thing', 'events', ['key'], features, view) },
    services: {
      s: { name: 's', members: [{ kind: 'view', role: 'v', view: 'v', keyColumns: ['id'], features: names }] },
    },
  });
}

function latestOf(columns: readonly Field[]): FeatureSpec[] {
  const values = columns.filter(({ name }) => !['key', 'at', 'known'].includes(name));
  return values.map(({ name, type }) => ({ name, type, aggregation: { op: 'latest', column: name } }));
}

export interface TrainedRows {
  /** The features of each row of the spine, by name. */
  readonly rows: readonly Row[];
  /** Whether an audit of the set finds nothing. */
  readonly isAuditClean: boolean;
  readonly id: string;
  /** The set's own file. */
  readonly file: string;
}

/** A training set of the manifest's service over a spine with its key column and the timestamp `t`. */
export async function trainedRows(
  { deps, connection, directory }: Pick<OfflineWorld, 'deps' | 'connection' | 'directory'>,
  manifest: Manifest,
  spine: string,
): Promise<TrainedRows> {
  const own: OfflineDeps = { ...deps, definitions: definitionsOf(manifest, directory) };
  const file = join(directory, 'training-set.parquet');
  const set = await createTrainingSet(own, {
    service: Object.keys(manifest.services)[0] as string,
    spine,
    directory,
    timestamp: 't',
    labels: [],
    boundary: 'at',
    out: file,
  });
  const features = manifest.views['v']?.features ?? [];
  const read = await readParquet(
    connection,
    file,
    features.map(({ name, type }) => ({ name: `v__${name}`, type })),
  );
  const rows = read.map((row) =>
    Object.fromEntries(features.map(({ name }): [string, Value] => [name, row[`v__${name}`] ?? null])),
  );
  return { rows, isAuditClean: (await auditTrainingSet(own, set.id)).isClean, id: set.id, file };
}

/** Runs materialize for the view; says how its run ended. */
export async function materializeView(
  { deps, directory }: Pick<OfflineWorld, 'deps' | 'directory'>,
  manifest: Manifest,
  store: OnlineStore,
  clock: Clock,
  incremental = true,
): Promise<string | undefined> {
  const own = { ...deps, definitions: definitionsOf(manifest, directory), clock, store };
  const { views } = await materialize(own, { incremental, dryRun: false });
  return views[0]?.state;
}

/** What the store answers for a key; pushed rows may be known up to `skew` later. */
export async function readOnline(
  database: Database,
  manifest: Manifest,
  store: OnlineStore,
  key: string,
  at: Micros,
  skew?: Micros,
): Promise<ReadView> {
  const reader = createFeatureReader(manifest, resolveService(manifest, 's'), store, await openDirectory(database));
  const [row] = await reader.read([[encodeKey([TYPES.string], [key]) as EncodedKey]], at, skew);
  return row?.[0] as ReadView;
}
