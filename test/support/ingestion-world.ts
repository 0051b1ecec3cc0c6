// The push path on real stores: machines with a folder of logs each, one registry, one object store, one online store,
// and a clock that tests set. Processes of a machine are opened here, or spawned with `places`.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Clock,
  type EncodedKey,
  encodeKey,
  type Logger,
  type Micros,
  silentLogger,
  type Value,
} from '../../src/core/index.ts';
import { type Definitions, type Manifest, resolveService } from '../../src/definitions/index.ts';
import { type EventLog, type EventLogOptions, openEventLog } from '../../src/events/index.ts';
import {
  type DeriveRows,
  type Ingestion,
  type IngestionDeps,
  type IngestionLimits,
  type IngestionOptions,
  openFeeds,
  openIngestion,
  openPushedTable,
} from '../../src/ingestion/index.ts';
import {
  createFeatureReader,
  createViewCodec,
  type NewRun,
  type OnlineStore,
  openRecordDirectory,
  openRowSchemas,
  openRuns,
  type ReadView,
  type RunRow,
  type StoreWriter,
} from '../../src/online/index.ts';
import { createRowDeriver } from '../../src/offline/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { LIMITS } from './ingestion-limits.ts';
import type { OnlineStoreKind } from './online-stores.ts';

/** A moment that tests start at. */
export const NOW = 1_790_000_000_000_000;

export { LIMITS } from './ingestion-limits.ts';

export type SettableClock = Clock & { now: Micros };

/** One process as far as it pushes: its own log handle, store and ingestion. */
export interface PushProcess {
  readonly ingestion: Ingestion;
  readonly store: OnlineStore;
  readonly log: EventLog;
  /** Ends as it should. */
  close(): Promise<void>;
  /** Lets go of its log as it is: nothing is sealed, nothing is shipped. */
  drop(): Promise<void>;
}

export interface ProcessOptions extends Partial<Omit<IngestionOptions, 'definitions'>> {
  readonly definitions: () => Definitions;
  /** Which machine's folder; default `a`. */
  readonly machine?: string;
  readonly limits?: Partial<IngestionLimits>;
  readonly logger?: Logger;
  readonly derive?: DeriveRows;
  readonly quarantine?: IngestionDeps['quarantine'];
  /** Where first cuts of view versions are kept. */
  readonly firstCuts?: NonNullable<IngestionDeps['versions']>;
  readonly log?: Partial<EventLogOptions>;
  /** Puts something between the process and its store. */
  readonly between?: (store: OnlineStore) => OnlineStore;
  /** Puts something between the process and all that it works with. */
  readonly around?: (deps: IngestionDeps) => IngestionDeps;
  /** In place of `closeLimitMs`, asked when it ends. */
  readonly closeLimit?: () => number;
}

export type IngestionWorld = Awaited<ReturnType<typeof openIngestionWorld>>;

/** A store whose writers do some things otherwise: to put between a process and its store. */
export const writersOf =
  (change: (writer: StoreWriter) => Partial<StoreWriter>) =>
  (store: OnlineStore): OnlineStore => ({
    ...store,
    async writer(link) {
      const writer = await store.writer(link);
      return { ...writer, ...change(writer) };
    },
  });

const STRING = { kind: 'string' } as const;

export const keyOf = (k: string): EncodedKey => encodeKey([STRING], [k]) as EncodedKey;

export async function openIngestionWorld(kind: Pick<OnlineStoreKind, 'prepare'>) {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-ingestion-'));
  const place = await kind.prepare();
  const objectFolder = join(folder, 'objects');
  mkdirSync(objectFolder);
  /** Where everything lies, for processes of their own. */
  const places = { registry: `sqlite:${join(folder, 'registry.db')}`, objects: objectFolder, online: place.url };
  const clock: SettableClock = { now: NOW, nowMicros: () => clock.now };
  const store = await place.open(clock);
  const database = await openDatabase(places.registry);
  const objects = openObjectStore(`file:${objectFolder}`);
  const runs = await openRuns(database);
  const schemas = await openRowSchemas(database);
  const feeds = await openFeeds(database);
  const pushed = await openPushedTable(database);
  const directory = await openRecordDirectory(runs, schemas);
  const processes = new Set<PushProcess>();
  const logPath = (machine: string): string => join(folder, 'log', machine);

  /**
   * What the service of a one-view manifest of `eventManifest` answers for keys, at the clock's time; pushed rows may be known
   * up to `skew` later.
   */
  const read = async (manifest: Manifest, keys: readonly (string | null)[], at = clock.now, skew: Micros = 0) => {
    const service = Object.keys(manifest.services)[0] as string;
    const reader = createFeatureReader(manifest, resolveService(manifest, service), store, directory);
    const rows = await reader.read(
      keys.map((k) => [k === null ? undefined : keyOf(k)]),
      at,
      skew,
    );
    return rows.map((row) => row[0] as ReadView);
  };

  return {
    place,
    places,
    clock,
    store,
    database,
    objects,
    runs,
    schemas,
    directory,
    pushed,
    logPath,
    async open({ definitions, machine = 'a', limits, logger = silentLogger, ...options }: ProcessOptions) {
      const path = logPath(machine);
      mkdirSync(path, { recursive: true });
      const { log: logOptions, derive, quarantine, firstCuts, between = (own: OnlineStore) => own, ...rest } = options;
      const { around = (deps: IngestionDeps) => deps, closeLimit, ...more } = rest;
      const given: IngestionOptions = { definitions, ...more };
      if (closeLimit !== undefined) Object.defineProperty(given, 'closeLimitMs', { get: closeLimit });
      const log = await openEventLog({ path, database, objects, clock, logger, ...logOptions });
      const own = between(await place.open(clock));
      const deriver = (given: Definitions, source: Parameters<typeof createRowDeriver>[1]): DeriveRows =>
        derive ?? createRowDeriver(given, source, () => Promise.reject(new Error('no column here is derived by SQL')));
      const ingestion = openIngestion(
        around({
          log,
          store: own,
          runs,
          schemas,
          feeds,
          pushed,
          deriver,
          clock,
          logger,
          limits: { ...LIMITS, ...limits },
          ...(firstCuts === undefined ? {} : { versions: firstCuts }),
          ...(quarantine === undefined ? {} : { quarantine }),
        }),
        given,
      );
      const opened: PushProcess = {
        ingestion,
        store: own,
        log,
        async close() {
          if (!processes.delete(opened)) return;
          await ingestion.close();
          await log.close();
          await own.close();
        },
        async drop() {
          if (!processes.delete(opened)) return;
          await log.close();
          await ingestion.close().catch(() => {});
          await own.close();
        },
      };
      processes.add(opened);
      return opened;
    },
    read,
    /** The values by feature name for one key. */
    async valuesOf(manifest: Manifest, key: string, at?: Micros): Promise<Readonly<Record<string, Value>>> {
      const [view] = await read(manifest, [key], at);
      const { features } = Object.values(manifest.views)[0] as Manifest['views'][string];
      return Object.fromEntries(features.map(({ name }, i) => [name, view?.values[i] ?? null]));
    },
    /** A run of the manifest's view asks. */
    ask(manifest: Manifest, more: Partial<NewRun> = {}): Promise<RunRow> {
      const view = Object.keys(manifest.views)[0] as string;
      const { version, fingerprint } = createViewCodec(manifest, view);
      return runs.ask({
        view,
        version,
        proposed: -Infinity,
        asOf: clock.now,
        carriesWaiting: true,
        fingerprint,
        askedMicros: clock.now,
        ...more,
      });
    },
    async close() {
      for (const one of processes) await one.close();
      await store.close();
      await database.close();
      await place.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
