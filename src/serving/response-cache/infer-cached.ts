// Inference with a memory: rows whose model input was answered a moment ago are answered from there, equal rows that come while
// one of them runs wait for that run, and the rest runs as ever. Failures are nobody's to share, and are never kept.

import { HeadraceError, type Scope, type Value } from '../../core/index.ts';
import type { RowKey } from '../../models/index.ts';
import type { ArmRow } from '../arm.ts';
import { checkRow, inferRows, submitRows } from '../arm-run.ts';
import type { ArmTiming } from '../arm-timing.ts';
import type { FeatureRow, FeatureRowOrError } from '../feature-plan.ts';
import type { ServedModel } from '../served-models.ts';
import { type Flight, mayJoin } from './flight.ts';
import type { ArmCache } from './response-caches.ts';

/** An arm's cache, and how its keys are made. */
export interface RowCache {
  readonly cache: ArmCache;
  readonly keyOf: RowKey;
}

/** As `inferRows`. */
export function inferCached(
  model: ServedModel,
  rowCache: RowCache,
  features: readonly FeatureRowOrError[],
  scope: Scope,
  timing?: ArmTiming,
): Promise<readonly ArmRow[]> | readonly ArmRow[] {
  // What such a row is answered depends on those that it came with.
  if (model.loaded.mixesRows === true && features.length > 1) return inferRows(model, features, scope, timing);
  const run = new CachedRun(model, rowCache, features.length, scope, timing);
  for (let i = 0; i < features.length; i++) run.take(i, features[i] as FeatureRowOrError);
  return run.start();
}

// A class, since one is made for every request.
class CachedRun {
  readonly #model: ServedModel;
  readonly #cache: ArmCache;
  readonly #keyOf: RowKey;
  readonly #scope: Scope;
  readonly #timing: ArmTiming | undefined;
  readonly #answered: ArmRow[];
  /** Rows that run, with their places, keys and flights. */
  readonly #rows: FeatureRow[] = [];
  readonly #places: number[] = [];
  readonly #keys: string[] = [];
  readonly #flights: Flight[] = [];
  /** Rows that waited for the run of another request, which failed: they run after all. */
  #left: { readonly row: FeatureRow; readonly place: number; readonly key: string }[] | undefined;
  #pending = 0;
  #resolve: ((rows: readonly ArmRow[]) => void) | undefined;

  constructor(
    model: ServedModel,
    { cache, keyOf }: RowCache,
    rows: number,
    scope: Scope,
    timing: ArmTiming | undefined,
  ) {
    this.#model = model;
    this.#cache = cache;
    this.#keyOf = keyOf;
    this.#scope = scope;
    this.#timing = timing;
    this.#answered = new Array<ArmRow>(rows);
  }

  take(place: number, row: FeatureRowOrError): void {
    const error = row instanceof HeadraceError ? row : checkRow(this.#model, row);
    if (error !== undefined) {
      this.#answered[place] = { error };
      return;
    }
    // It is none, or there were an error.
    const checked = row as FeatureRow;
    const key = this.#keyOf(checked.values);
    const outputs = this.#cache.get(key);
    if (outputs !== undefined) return this.#answer(place, checked, outputs);
    const flight = this.#cache.flights.get(key);
    if (flight !== undefined && mayJoin(flight, this.#scope)) return this.#join(place, checked, key, flight);
    this.#cache.missed();
    this.#rows.push(checked);
    this.#places.push(place);
    this.#keys.push(key);
    const own: Flight = { scope: this.#scope, owner: this, place, waiting: undefined };
    this.#cache.flights.set(key, own);
    this.#flights.push(own);
  }

  start(): Promise<readonly ArmRow[]> | readonly ArmRow[] {
    if (this.#rows.length === 0 && this.#pending === 0) return this.#answered;
    const startMs = performance.now();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      if (this.#rows.length === 0) {
        if (this.#timing === undefined) return;
        const timing = this.#timing;
        this.#resolve = (rows) => {
          timing.queueMs = performance.now() - startMs - timing.inferenceMs;
          resolve(rows);
        };
        return;
      }
      this.#pending++;
      this.#submit(this.#rows, this.#places, () => {
        for (let i = 0; i < this.#rows.length; i++) this.#settle(i);
        this.#end();
      });
    });
  }

  #submit(rows: readonly FeatureRow[], places: readonly number[], end: () => void): void {
    submitRows(this.#model, rows, places, this.#answered, this.#scope, this.#timing, end);
  }

  /** A row has run: it is kept, and told to those that waited. */
  #settle(index: number): void {
    const key = this.#keys[index] as string;
    const row = this.#answered[this.#places[index] as number] as ArmRow;
    const outputs = row.error === undefined ? row.outputs : undefined;
    if (outputs !== undefined) this.#cache.put(key, outputs);
    const flight = this.#flights[index] as Flight;
    // A more urgent row may have taken its place.
    if (this.#cache.flights.get(key) === flight) this.#cache.flights.delete(key);
    if (flight.waiting === undefined) return;
    for (const told of flight.waiting) told(outputs);
  }

  #join(place: number, row: FeatureRow, key: string, flight: Flight): void {
    this.#pending++;
    (flight.waiting ??= []).push((outputs) => {
      if (outputs !== undefined) {
        this.#cache.shared();
        this.#answer(place, row, outputs);
      } else if (flight.owner === this) {
        // It has the same deadline, and would have run with the same rows: it fails alike.
        this.#answered[place] = this.#answered[flight.place] as ArmRow;
      } else (this.#left ??= []).push({ row, place, key });
      this.#end();
    });
  }

  #answer(place: number, { values: features, statuses }: FeatureRow, outputs: readonly Value[]): void {
    if (this.#timing !== undefined) this.#timing.cachedRows++;
    this.#answered[place] = { outputs, features, statuses, isCached: true };
  }

  #end(): void {
    if (--this.#pending > 0) return;
    const left = this.#left;
    if (left === undefined) return this.#resolve?.(this.#answered);
    for (let i = 0; i < left.length; i++) this.#cache.missed();
    this.#left = undefined;
    this.#pending = 1;
    const places = left.map(({ place }) => place);
    this.#submit(
      left.map(({ row }) => row),
      places,
      () => {
        for (const { key, place } of left) {
          const row = this.#answered[place] as ArmRow;
          if (row.error === undefined) this.#cache.put(key, row.outputs);
        }
        this.#end();
      },
    );
  }
}
