// A point-in-time plan: what a training set needs, as data. An engine (duckdb/) compiles and runs it.

import type { DataType, Field, Micros } from '../core/index.ts';
import {
  type Manifest,
  resolveService,
  type ServiceFeature,
  type ServiceTransform,
  type ViewSpec,
} from '../definitions/index.ts';

/**
 * `at` counts what was known by T, T included; `before` leaves out what happened or became known at T itself, for
 * labels that are events of the source.
 */
export type Boundary = 'at' | 'before';

export interface TrainingSetPlan {
  readonly service: string;
  readonly timestamp: string;
  readonly labels: readonly string[];
  readonly boundary: Boundary;
  /** What the spine must carry, each once, with who needs it. */
  readonly spineColumns: readonly SpineColumn[];
  /** One per stored view and key mapping. */
  readonly reads: readonly ReadPlan[];
  /** In an order in which each finds its inputs ready. */
  readonly transforms: readonly ServiceTransform[];
  /** After the spine's own columns, in order. */
  readonly features: readonly ServiceFeature[];
}

export interface SpineColumn extends Field {
  readonly neededBy: string;
}

export interface ReadPlan {
  readonly view: ViewSpec;
  /** Spine column and type of each of the entity's keys, in the entity's order. */
  readonly keys: readonly { readonly spineColumn: string; readonly sourceColumn: string; readonly type: DataType }[];
  readonly boundary: Boundary;
  /** When set, T is replaced by floor(T − lag, every). */
  readonly schedule: { readonly everyMicros: Micros; readonly lagMicros: Micros } | null;
  /** Indices into the view's features of those that are used, by how they are computed. */
  readonly latest: readonly number[];
  readonly windows: readonly number[];
}

export interface PlanRequest {
  readonly service: string;
  readonly timestamp: string;
  readonly labels: readonly string[];
  readonly boundary: Boundary;
}

/** Plans a service's training set. Throws HR_UNKNOWN_SERVICE. */
export function planTrainingSet(manifest: Manifest, request: PlanRequest): TrainingSetPlan {
  const service = resolveService(manifest, request.service);
  const used = service.reads.map(() => new Set<number>());
  for (const { from } of service.features) if (from.kind === 'read') used[from.read]?.add(from.feature);
  for (const { inputs } of service.onDemand) {
    for (const input of inputs) {
      if (input.kind === 'read') service.reads[input.read]?.view.features.forEach((_, i) => used[input.read]?.add(i));
    }
  }
  const neededBy = new Map<string, string>();
  const reads = service.reads.map(({ view, entity, keyColumns }, index): ReadPlan => {
    for (const column of keyColumns) {
      if (!neededBy.has(column)) neededBy.set(column, `a key of view "${view.name}"`);
    }
    const wanted = view.features.map((_, i) => i).filter((i) => used[index]?.has(i));
    const isLatest = (i: number) => view.features[i]?.aggregation.op === 'latest';
    return {
      view,
      keys: keyColumns.map((spineColumn, i) => ({
        spineColumn,
        sourceColumn: view.keyColumns[i] as string,
        type: (entity.keys[i] as Field).type,
      })),
      boundary: request.boundary,
      schedule: view.freshness.kind === 'live' ? null : view.freshness,
      latest: wanted.filter(isLatest),
      windows: wanted.filter((i) => !isLatest(i)),
    };
  });
  for (const { view, inputs } of service.onDemand) {
    for (const input of inputs) {
      if (input.kind !== 'request') continue;
      for (const { name } of input.columns) {
        if (!neededBy.has(name)) neededBy.set(name, `a request column of on-demand view "${view.name}"`);
      }
    }
  }
  return {
    service: service.name,
    timestamp: request.timestamp,
    labels: request.labels,
    boundary: request.boundary,
    spineColumns: service.requestColumns.map((column) => ({
      ...column,
      neededBy: neededBy.get(column.name) as string,
    })),
    reads,
    transforms: service.onDemand,
    features: service.features,
  };
}
