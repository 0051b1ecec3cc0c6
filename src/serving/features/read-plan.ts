// A feature service compiled for reading its features: straight from the records where it stores all of them, by the
// plan of predictions where functions compute some.

import type { Int64Form, Micros } from '../../core/index.ts';
import type { Definitions, ResolvedService } from '../../definitions/index.ts';
import {
  createFeatureReader,
  type PlacedReads,
  type RecordDirectory,
  type RecordSource,
  STATUSES,
} from '../../online/index.ts';
import { compileFeaturePlan, type FeatureRow } from '../feature-plan.ts';
import { compileKeys } from '../request-keys.ts';
import { compileRowParser, type RequestRow, type RowParser } from '../row-parser.ts';
import { compileAnswerWriter, type FeatureSource, type WriteFeatures } from './answer-writer.ts';

export interface ReadPlan {
  readonly service: ResolvedService;
  readonly parseRow: RowParser;
  /** Reads as the clock showed `at`; `skew` as a feature plan's. A promise only when the store's answer is one. */
  read(rows: readonly RequestRow[], at: Micros, skew?: Micros): FeatureSource | Promise<FeatureSource>;
  /** The answer's JSON. */
  readonly toJson: Readonly<Record<Int64Form, WriteFeatures>>;
}

/** Compiles a service. Throws HR_CODE_MISSING. */
export function compileReadPlan(
  definitions: Definitions,
  service: ResolvedService,
  store: RecordSource,
  directory: RecordDirectory,
): ReadPlan {
  return {
    service,
    parseRow: compileRowParser(service.requestColumns, 'rows'),
    read:
      service.onDemand.length === 0
        ? compilePlaced(definitions, service, store, directory)
        : compileComputed(definitions, service, store, directory),
    toJson: { number: compileAnswerWriter(service, 'number'), text: compileAnswerWriter(service, 'text') },
  };
}

function compilePlaced(
  definitions: Definitions,
  service: ResolvedService,
  store: RecordSource,
  directory: RecordDirectory,
): ReadPlan['read'] {
  const reader = createFeatureReader(definitions.manifest, service, store, directory);
  const keysOf = compileKeys(service);
  const reads: number[] = [];
  const places: number[] = [];
  for (const { from } of service.features) {
    if (from.kind !== 'read') continue;
    reads.push(from.read);
    places.push(from.feature);
  }
  const sourceOf = (placed: PlacedReads): FeatureSource => ({
    rows: placed.rows,
    give: (row, feature, sink) => placed.give(row, reads[feature] as number, places[feature] as number, sink),
    copy: (feature, to, at, rest) => placed.copy(reads[feature] as number, places[feature] as number, to, at, rest),
    eventMicros: (row, read) => placed.eventMicros(row, read),
  });
  return (rows, at, skew) => {
    const placed = reader.place(rows.map(keysOf), at, skew);
    return placed instanceof Promise ? placed.then(sourceOf) : sourceOf(placed);
  };
}

function compileComputed(
  definitions: Definitions,
  service: ResolvedService,
  store: RecordSource,
  directory: RecordDirectory,
): ReadPlan['read'] {
  const plan = compileFeaturePlan(definitions, service, store, directory, 'rows');
  const sourceOf = (rows: readonly FeatureRow[]): FeatureSource => ({
    rows: rows.length,
    give(row, feature, sink) {
      const { values, statuses } = rows[row] as FeatureRow;
      const { type } = service.features[feature] as ResolvedService['features'][number];
      sink.value(type, values[feature] ?? null);
      return STATUSES.indexOf(statuses[feature] ?? 'NOT_FOUND');
    },
    eventMicros: (row, read) => rows[row]?.reads[read]?.eventMicros ?? null,
  });
  return (rows, at, skew) => {
    const read = plan.read(rows, at, skew);
    return read instanceof Promise ? read.then(sourceOf) : sourceOf(read);
  };
}
