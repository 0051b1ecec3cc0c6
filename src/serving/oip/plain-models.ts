// The plain models that one server has in memory: those that the registry says are loaded, followed as it changes. The version
// that answers a request that names none, and those with an alias, are kept; others are loaded when they are asked for, and
// stay while there is room.

import { HeadraceError, knownRows, type Logger, type Scope, toHeadraceError, within } from '../../core/index.ts';
import type {
  LoadedModel,
  ModelLease,
  ModelRepository,
  ModelStatistics as OwnStatistics,
  Signature,
} from '../../models/index.ts';
import type { ModelStatistics } from '../../monitoring/index.ts';
import {
  LATEST,
  type PlainModel,
  type PlainModelRegistry,
  type PlainVersion,
  type Registry,
} from '../../registry/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { createAcquireFile, type ProvidersOf } from '../acquire-file.ts';
import type { Deadlines } from '../deadlines.ts';
import { createLooks } from '../looks.ts';
import { createModelHolders } from '../model-statistics.ts';
import type { IndexedModel } from './inference-plane.ts';
import { createHeldVersion, type HeldVersion } from './held-version.ts';
import { unknownModel } from './unknown-model.ts';

export interface PlainModels {
  /** Looks whether anything changed, and what is due to be tried again. Never throws: what fails is logged. */
  refresh(): Promise<void>;
  /** A look that begins now, to its end and that of the loads it begins; throws what it does. */
  catchUp(): Promise<void>;
  /** Resolves once nothing is being loaded, or after so long. */
  settled(limitMs: number): Promise<void>;
  /** Those that the registry has, unloaded ones too. */
  names(): readonly string[];
  has(name: string): boolean;
  /** A version by its number, an alias or `latest`; undefined: the one that answers where none is named. Throws HR_UNKNOWN_MODEL. */
  find(name: string, version: string | undefined): PlainServed;
  /** Versions that can be asked for. Throws HR_UNKNOWN_MODEL. */
  versions(name: string): readonly PlainServed[];
  /** What the models that are used have counted. */
  modelStatistics(): readonly ModelStatistics[];
  close(): Promise<void>;
}

export interface PlainServed {
  readonly name: string;
  readonly version: string;
  readonly signature: Signature;
  readonly state: Pick<IndexedModel, 'state' | 'reason'>;
  /** Of the model while it is in memory. */
  statistics(): OwnStatistics | undefined;
  /**
   * Runs `work` with the model; loads it first where it is not in memory. Throws HR_MODEL_NOT_READY, HR_OVERLOADED without room
   * for it, HR_DEADLINE.
   */
  use<T>(scope: Scope, work: (model: LoadedModel) => Promise<T>): Promise<T>;
}

export interface PlainModelsDeps {
  readonly registry: Pick<Registry, 'changeToken'> & { readonly plainModels: Pick<PlainModelRegistry, 'list'> };
  readonly objects: ObjectStore;
  readonly models: ModelRepository;
  readonly providersOf: ProvidersOf;
  readonly logger: Logger;
  readonly deadlines: Deadlines;
}

interface Entry {
  readonly model: PlainModel;
  /** Those that can be asked for, by number. */
  readonly live: ReadonlyMap<number, PlainVersion>;
  /** By alias, and `latest`. */
  readonly named: ReadonlyMap<string, number>;
}

/** What answers a request that names no version, where there is such an alias; else the newest. */
const STABLE = 'stable';
const PROVIDERS = ['cpu'];

/** `mayBlock`: whether nobody waits for the event loop yet. */
export function createPlainModels(deps: PlainModelsDeps, mayBlock: () => boolean): PlainModels {
  const { registry, objects, models, providersOf, logger, deadlines } = deps;
  const holders = createModelHolders();
  let entries: ReadonlyMap<string, Entry> = new Map();
  /** By model and number. */
  const held = new Map<string, HeldVersion>();
  let seenToken = -1;
  let isClosed = false;

  const acquireFile = createAcquireFile({ objects, models, providersOf }, mayBlock);
  const acquire = ({ artifact, model, batch, rowsVerdict }: PlainVersion): Promise<ModelLease> =>
    acquireFile(artifact, { model, providers: PROVIDERS, rows: knownRows(batch, rowsVerdict) });

  /** Holds what is wanted and lets go of the rest; of what was unloaded the memory, too. */
  const hold = (): void => {
    const wanted = new Map<string, PlainVersion>();
    for (const { model, live, named } of entries.values()) {
      if (model.isUnloaded || isClosed) continue;
      for (const number of new Set(named.values()))
        wanted.set(keyOf(model.name, number), live.get(number) as PlainVersion);
    }
    for (const [key, one] of held) {
      if (wanted.has(key)) continue;
      held.delete(key);
      one.release();
      const { model, artifact } = one.version;
      if (entries.get(model)?.model.isUnloaded !== false) void models.unload(artifact);
    }
    for (const [key, version] of wanted) {
      const known = held.get(key);
      if (known !== undefined) known.retry(false);
      else held.set(key, createHeldVersion(version, { acquire, logger, hold: holders.hold }));
    }
  };

  const look = async (isAsked: boolean): Promise<void> => {
    const token = await registry.changeToken();
    if (token !== seenToken || isAsked) {
      const listed = await registry.plainModels.list();
      if (isClosed) return;
      entries = new Map(listed.map((model) => [model.name, toEntry(model)]));
      seenToken = token;
    }
    if (isAsked) for (const one of held.values()) one.retry(true);
    hold();
  };
  const looks = createLooks({ look, logger, whenFailed: 'could not look for changes of models' });
  const allLoaded = (): Promise<unknown> => Promise.all(Array.from(held.values(), (one) => one.settled()));

  const entryOf = (name: string, version: string | undefined): Entry => {
    const entry = entries.get(name);
    if (entry === undefined || entry.live.size === 0) throw unknownModel(name, version, '');
    return entry;
  };

  const made = new WeakMap<PlainVersion, PlainServed>();
  const served = (entry: Entry, version: PlainVersion): PlainServed => {
    let one = made.get(version);
    if (one === undefined) made.set(version, (one = serve(entry, version)));
    return one;
  };
  /** Versions are listed anew with each change, so what is made for one lives as long as what it says holds. */
  const serve = ({ model }: Entry, version: PlainVersion): PlainServed => {
    const key = keyOf(model.name, version.version);
    const heldNow = (): HeldVersion | undefined => held.get(key);
    return {
      name: model.name,
      version: String(version.version),
      // The registry keeps what the runtime read of the file.
      signature: version.signature as unknown as Signature,
      get state(): PlainServed['state'] {
        if (model.isUnloaded) return { state: 'UNAVAILABLE', reason: 'unloaded' };
        const own = heldNow();
        if (own !== undefined) return own.state();
        return models.isReady(version.artifact)
          ? { state: 'READY', reason: '' }
          : { state: 'UNAVAILABLE', reason: UNASKED };
      },
      statistics: () =>
        heldNow()?.model()?.statistics() ??
        models.statistics().models.find(({ id }) => id === version.artifact)?.statistics,
      async use(scope, work) {
        if (model.isUnloaded)
          throw notReady(model.name, `it is unloaded; POST /v2/repository/models/${model.name}/load loads it`);
        const ready = heldNow()?.model();
        if (ready !== undefined) return work(ready);
        const loading = acquire(version);
        const stage = { now: `model "${model.name}" was loaded`, rows: 1 };
        const lease = await deadlines.race(loading, scope, stage).catch((thrown: unknown) => {
          // What is loaded after the deadline is nobody's.
          loading.then((late) => late.release()).catch(() => {});
          throw loadFailure(model.name, version.version, thrown);
        });
        const end = holders.hold(lease.model, model.name, version.version);
        try {
          return await work(lease.model);
        } finally {
          end();
          lease.release();
        }
      },
    };
  };

  return {
    refresh: looks.refresh,
    async catchUp() {
      await looks.catchUp();
      await allLoaded();
    },
    async settled(limitMs) {
      await within(allLoaded(), limitMs);
    },
    names: () => [...entries.keys()],
    has: (name) => entries.has(name),
    find(name, asked) {
      const entry = entryOf(name, asked);
      const { live, named } = entry;
      const number =
        asked === undefined ? (named.get(STABLE) ?? named.get(LATEST)) : (named.get(asked) ?? numberOf(asked));
      const version = number === undefined ? undefined : live.get(number);
      if (version !== undefined) return served(entry, version);
      throw unknownModel(name, asked, ` It has ${[...live.keys(), ...named.keys()].join(', ')}.`);
    },
    versions(name) {
      const entry = entryOf(name, undefined);
      return Array.from(entry.live.values(), (version) => served(entry, version));
    },
    modelStatistics: () => holders.statistics(),
    async close() {
      isClosed = true;
      await looks.settled();
      hold();
    },
  };
}

const UNASKED = 'loaded when it is asked for';

function keyOf(model: string, version: number): string {
  return `${model} ${version}`;
}

function numberOf(asked: string): number | undefined {
  return /^[1-9]\d{0,9}$/.test(asked) ? Number(asked) : undefined;
}

function toEntry(model: PlainModel): Entry {
  const versions = model.versions.filter(({ isRetired }) => !isRetired);
  const named = new Map(versions.flatMap(({ version, aliases }) => aliases.map((alias) => [alias, version] as const)));
  const latest = versions.at(-1);
  if (latest !== undefined) named.set(LATEST, latest.version);
  return { model, live: new Map(versions.map((one) => [one.version, one])), named };
}

function notReady(name: string, reason: string, cause?: unknown): HeadraceError {
  return new HeadraceError('HR_MODEL_NOT_READY', `model "${name}" is not ready: ${reason}.`, { cause });
}

/** What is wrong with a file that is registered is no fault of who asks. */
function loadFailure(name: string, version: number, thrown: unknown): HeadraceError {
  const error = toHeadraceError(thrown);
  const isToldAsItIs = ['HR_OVERLOADED', 'HR_DEADLINE', 'HR_CANCELLED', 'HR_STOPPING'].includes(error.code);
  return isToldAsItIs ? error : notReady(name, `version ${version} could not be loaded: ${error.message}`, error);
}
