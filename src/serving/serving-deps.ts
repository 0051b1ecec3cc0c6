// What one server is opened with: stores, models, clock, limits and its own name, as the composition root made them.

import type { Clock, Logger, Micros } from '../core/index.ts';
import type { Definitions, LiveVersion } from '../definitions/index.ts';
import type { ModelRepository } from '../models/index.ts';
import type { MinuteCollector, Monitor, PredictionLog } from '../monitoring/index.ts';
import type { IngestionDeps } from '../ingestion/index.ts';
import type { OnlineStore, RecordDirectory, StorePlace } from '../online/index.ts';
import type { Registry } from '../registry/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import type { ProvidersOf } from './acquire-file.ts';

export interface ServingDeps {
  readonly registry: Registry;
  /** Loads definitions that were applied, with the functions that they were applied with. */
  readonly definitionsOf: (manifestHash: string) => Promise<Definitions>;
  /** The same without the functions whose code can't be had: what needs one of them fails, and nothing else. */
  readonly earlierDefinitions: (manifestHash: string) => Promise<Definitions>;
  /** Looks whether readers may move to versions that are being filled, and tells the registry where they may. */
  readonly completeVersions: (waiting: readonly LiveVersion[]) => Promise<unknown>;
  /** What this process tells the registry of itself under. */
  readonly self: ServerIdentity;
  readonly store: OnlineStore;
  /** Where `store` was looked for. */
  readonly storePlace: StorePlace;
  readonly directory: RecordDirectory;
  readonly objects: ObjectStore;
  /** Closed by whoever opened it, after serving. */
  readonly models: ModelRepository;
  readonly providersOf: ProvidersOf;
  readonly ingestion: IngestionDeps;
  readonly predictionLog: PredictionLog;
  /** What the log redacts, to be told where no endpoint has it; nothing where another worker tells. */
  readonly redact: readonly string[];
  readonly monitor: Monitor;
  /** Counts arms and outcomes by the minute. */
  readonly minutes: MinuteCollector;
  /** Predictions are neither counted nor logged. */
  readonly isUnwatched: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ServingLimits;
  /** How long the writer of pushed events has for its end. */
  readonly writerLimitMs: number;
}

/** What a process is known by. */
export interface ServerIdentity {
  /** Its own, never met before. */
  readonly id: string;
  readonly machine: string;
  readonly pid: number;
  readonly pidSpace?: string;
  readonly startedMicros: Micros;
}

export interface ServingLimits {
  readonly maxInFlight: number;
  readonly maxRows: number;
  /** The deadline of a request that names none. */
  readonly requestTimeoutMs: number;
  /** What endpoints together may keep of their models' answers. */
  readonly cacheBytes: number;
}
