// Inference with a memory: rows whose model input was answered a moment ago are answered from there, equal rows that come while
// one of them runs wait for that run, and the rest runs as ever. Failures are nobody's to share, and are never kept.

import { HeadraceError, type Scope, type Value } from '../../core/index.ts';
import type { RowKey } from '../../models/index.ts';
import type { ArmRow } from '../arm.ts';
import { checkRow, inferRows, submitRows } from '../arm-run.ts';
import type { ArmTiming } from '../arm-timing.ts';
import type { FeatureRow, FeatureRowOrError } from '../feature-plan.ts';
import type { ServedModel } from '../served-models.ts';
import { type Flight, isRunnersOwn, mayJoin } from './flight.ts';
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

/** Rows that run together, each with its place among the request's, its key and its flight. */
interface Running {
  readonly rows: FeatureRow[];
  readonly places: number[];
  readonly keys: string[];
  /** Undefined for one that nobody is to wait for. */
  readonly flights: (Flight | undefined)[];
}

/** A row that waited for the run of another request, which failed: it runs after all. */
interface Left {
  readonly row: FeatureRow;
  readonly place: number;
  readonly key: string;
  /** It may wait once more, for another who runs it. */
  readonly mayWait: boolean;
}

// A class, since one is made for every request.
class CachedRun {
  readonly #model: ServedModel;
  readonly #cache: ArmCache;
  readonly #keyOf: RowKey;
  readonly #scope: Scope;
  readonly #timing: ArmTiming | undefined;
  readonly #answered: ArmRow[];
  /** What the next run has. */
  #next: Running | undefined;
  #left: Left[] | undefined;
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
    this.#look(place, checked, this.#keyOf(checked.values));
  }

  start(): Promise<readonly ArmRow[]> | readonly ArmRow[] {
    if (this.#next === undefined && this.#pending === 0) return this.#answered;
    const startMs = performance.now();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      if (this.#next !== undefined) return this.#run(this.#next);
      if (this.#timing === undefined) return;
      const timing = this.#timing;
      this.#resolve = (rows) => {
        timing.queueMs = performance.now() - startMs - timing.inferenceMs;
        resolve(rows);
      };
    });
  }

  /** Answers a row by what is kept, has it wait for an equal one, or notes it for the next run. */
  #look(place: number, row: FeatureRow, key: string): void {
    const outputs = this.#cache.get(key);
    if (outputs !== undefined) return this.#answer(place, row, outputs);
    const flight = this.#cache.flights.get(key);
    if (flight !== undefined && mayJoin(flight, this.#scope)) return this.#join(place, row, key, flight);
    const own: Flight = { scope: this.#scope, owner: this, place, waiting: undefined };
    this.#cache.flights.set(key, own);
    this.#note(place, row, key, own);
  }

  #note(place: number, row: FeatureRow, key: string, flight: Flight | undefined): void {
    this.#cache.missed();
    const { rows, places, keys, flights } = (this.#next ??= { rows: [], places: [], keys: [], flights: [] });
    rows.push(row);
    places.push(place);
    keys.push(key);
    flights.push(flight);
  }

  /** All rows that are noted, as one piece of work. */
  #run(running: Running): void {
    const { rows, places } = running;
    this.#next = undefined;
    this.#pending++;
    submitRows(this.#model, rows, places, this.#answered, this.#scope, this.#timing, () => {
      for (let i = 0; i < rows.length; i++) this.#settle(running, i);
      this.#end();
    });
  }

  /** A row has run: it is kept, and told to those that waited. */
  #settle({ places, keys, flights }: Running, index: number): void {
    const key = keys[index] as string;
    const row = this.#answered[places[index] as number] as ArmRow;
    if (row.error === undefined) this.#cache.put(key, row.outputs);
    const flight = flights[index];
    if (flight === undefined) return;
    // A more urgent row may have taken its place.
    if (this.#cache.flights.get(key) === flight) this.#cache.flights.delete(key);
    if (flight.waiting === undefined) return;
    for (const told of flight.waiting) told(row);
  }

  #join(place: number, row: FeatureRow, key: string, flight: Flight): void {
    this.#pending++;
    (flight.waiting ??= []).push((ran) => {
      if (ran.error === undefined) {
        this.#cache.shared();
        this.#answer(place, row, ran.outputs);
      } else if (flight.owner === this) {
        // It has the same deadline, and would have run with the same rows: it fails alike.
        this.#answered[place] = this.#answered[flight.place] as ArmRow;
      } else (this.#left ??= []).push({ row, place, key, mayWait: isRunnersOwn(ran.error.code) });
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
    this.#left = undefined;
    for (const { place, row, key, mayWait } of left ?? []) {
      if (mayWait) this.#look(place, row, key);
      // One that fails by itself would keep those who waited from failing until each had run it in turn.
      else this.#note(place, row, key, undefined);
    }
    if (this.#next !== undefined) this.#run(this.#next);
    else if (this.#pending === 0) this.#resolve?.(this.#answered);
  }
}
