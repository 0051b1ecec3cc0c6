// Definitions of events of every kind that a record folds: rows with late knowledge, tombstones and ties, into `latest`
// features and windows of every sort.

import { contentHash, type DataType, type Field, MICROS_PER_HOUR, MICROS_PER_MINUTE } from '../../src/core/index.ts';
import type {
  Aggregation,
  Definitions,
  FeatureSpec,
  Manifest,
  SourceSpec,
  ViewSpec,
} from '../../src/definitions/index.ts';

const string = { kind: 'string' } as const;
const int64 = { kind: 'int64' } as const;
const float64 = { kind: 'float64' } as const;
const timestamp = { kind: 'timestamp' } as const;

const latest = (name: string, column: string, type: DataType): FeatureSpec => ({
  name,
  type,
  aggregation: { op: 'latest', column },
});
const window = (
  name: string,
  type: DataType,
  op: Exclude<Aggregation['op'], 'latest'>,
  column: string | null,
  hours: number,
  hopMinutes: number,
  n?: number,
): FeatureSpec => ({
  name,
  type,
  aggregation: {
    op,
    column,
    windowMicros: hours * MICROS_PER_HOUR,
    hopMicros: hopMinutes * MICROS_PER_MINUTE,
    ...(n === undefined ? {} : { n }),
  },
});

export const EVENT_FEATURES: readonly FeatureSpec[] = [
  latest('last_x', 'x', float64),
  window('rows', int64, 'count', null, 6, 5),
  window('xs', int64, 'count', 'x', 6, 60),
  window('sum_n', int64, 'sum', 'n', 24, 60),
  window('mean_x', float64, 'mean', 'x', 24, 60),
  latest('last_s', 's', string),
  window('max_s', string, 'max', 's', 6, 60),
  window('initial_s', string, 'first', 's', 24, 60),
  window('final_s', string, 'last', 's', 24, 60),
  window('recent_s', { kind: 'list', of: string }, 'lastN', 's', 24, 60, 3),
  window('kinds', int64, 'countDistinct', 's', 24, 60),
];

export interface EventOptions {
  /** Name of the view, and of its service. */
  readonly view?: string;
  /** Type of the created order `seq`; null where the source names none. */
  readonly created?: DataType | null;
  readonly pushes?: SourceSpec['pushes'];
  readonly freshness?: ViewSpec['freshness'];
  readonly features?: readonly FeatureSpec[];
  readonly ttlMicros?: number | null;
}

/** One source `events`, one view of it by `k`, one service. */
export function eventManifest(options: EventOptions = {}): Manifest {
  const {
    view = 'v',
    created = int64,
    pushes = 'keep',
    freshness = { kind: 'live' },
    features = EVENT_FEATURES,
  } = options;
  const columns: Field[] = [
    { name: 'k', type: string },
    { name: 'happened', type: timestamp },
    { name: 'known', type: timestamp },
    ...(created === null ? [] : [{ name: 'seq', type: created }]),
    { name: 'gone', type: { kind: 'bool' } },
    { name: 'x', type: float64 },
    { name: 'n', type: int64 },
    { name: 's', type: string },
  ];
  const { ttlMicros = 12 * MICROS_PER_HOUR } = options;
  return {
    format: 1,
    project: 'test',
    entities: { e: { name: 'e', keys: [{ name: 'k', type: string }] } },
    sources: {
      events: {
        name: 'events',
        kind: 'pushed',
        location: {},
        columns,
        derive: [],
        eventTime: 'happened',
        knownTime: { kind: 'column', column: 'known' },
        ...(created === null ? {} : { createdOrder: 'seq' }),
        tombstone: 'gone',
        pushes,
      },
    },
    views: { [view]: { name: view, entity: 'e', source: 'events', keyColumns: ['k'], ttlMicros, features, freshness } },
    onDemandViews: {},
    services: {
      [view]: {
        name: view,
        members: [{ kind: 'view', role: view, view, keyColumns: ['k'], features: features.map(({ name }) => name) }],
      },
    },
    models: {},
    endpoints: {},
    pipelines: {},
  };
}

export function eventDefinitions(options: EventOptions = {}): Definitions {
  return definitionsOf(eventManifest(options));
}

export function definitionsOf(manifest: Manifest): Definitions {
  return { manifest, hash: contentHash(manifest), functions: new Map(), bundles: new Map(), directory: '/' };
}
