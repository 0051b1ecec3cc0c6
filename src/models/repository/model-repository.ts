// Model versions in memory: loaded once whoever holds them, kept warm when nobody does, within a bound on memory. What a
// model is for (features, outputs, traffic) is others' business.

import { HeadraceError } from '../../core/index.ts';
import type { LoadedModel, LoadOptions, ModelRuntime, ModelStatistics } from '../model-runtime.ts';

/** One who holds a model; it stays in memory at least until `release`. */
export interface ModelLease {
  readonly model: LoadedModel;
  /** A second call does nothing. */
  release(): void;
}

export interface RepositoryModel {
  readonly id: string;
  readonly providers: readonly string[];
  readonly state: 'loading' | 'ready';
  readonly holders: number;
  /** Bytes of the artifact times the copies in memory; while it loads, what is known of it. */
  readonly memoryBytes: number;
  /** Undefined while it loads. */
  readonly placement: LoadedModel['placement'] | undefined;
  readonly nodesByProvider: LoadedModel['nodesByProvider'];
  readonly mixesRows: LoadedModel['mixesRows'];
  readonly rowsVerdict: LoadedModel['rowsVerdict'];
  readonly statistics: ModelStatistics | undefined;
}

export interface RepositoryStatistics {
  readonly memoryBytes: number;
  readonly limitBytes: number;
  readonly loads: number;
  readonly failedLoads: number;
  /** Models that gave their place to others. */
  readonly evictions: number;
  /** The one used last comes last. */
  readonly models: readonly RepositoryModel[];
}

export interface AcquireOptions extends Pick<LoadOptions, 'providers' | 'mayBlock' | 'sha256' | 'rows'> {
  /** How large the artifact is, asked before it is read: it is not read while there is no room for it. */
  readonly size?: () => Promise<number>;
}

export interface ModelRepository {
  /**
   * The model of an artifact (its hash, say) with these providers and what is known of its rows: the one in memory, or loaded from
   * what `read` gives, which then is the repository's; who asks meanwhile waits for the same load. A failed load leaves
   * nothing: the next call tries again. Throws what `read` and `ModelRuntime.load` do, and HR_OVERLOADED when models that are held leave no room:
   * `isTransient` tells whether to try again. HR_STOPPING once closed.
   */
  acquire(id: string, read: () => Promise<Uint8Array>, options: AcquireOptions): Promise<ModelLease>;
  /**
   * Drops an artifact's models that nobody holds; false when somebody holds one, or it is still loading. This and `isReady`
   * are for the Open Inference protocol, whose model repository and readiness they answer; endpoints hold leases.
   */
  unload(id: string): Promise<boolean>;
  isReady(id: string): boolean;
  /** Told in `GET /v1/status`. */
  statistics(): RepositoryStatistics;
  /** Closes every model, after its work (10 s at most). */
  close(): Promise<void>;
}

export interface ModelRepositoryOptions {
  readonly runtime: ModelRuntime;
  /** All models together. Default 2 GiB. */
  readonly memoryBytes?: number;
  /** Told of each model that was loaded. */
  readonly loaded?: (model: RepositoryModel) => void;
}

interface Entry {
  readonly id: string;
  readonly key: string;
  readonly providers: readonly string[];
  loading: Promise<LoadedModel>;
  model: LoadedModel | undefined;
  holders: number;
  bytes: number;
}

const DEFAULT_BYTES = 2 * 1024 ** 3;

export function createModelRepository({
  runtime,
  memoryBytes: limit = DEFAULT_BYTES,
  loaded = () => {},
}: ModelRepositoryOptions): ModelRepository {
  // In the order of their last use.
  const entries = new Map<string, Entry>();
  // Until what they hold is free.
  const closing = new Set<Promise<void>>();
  let closingBytes = 0;
  let isClosed = false;
  let [loads, failedLoads, evictions] = [0, 0, 0];

  const used = (): number => [...entries.values()].reduce((sum, { bytes }) => sum + bytes, closingBytes);

  const drop = (entry: Entry, model: LoadedModel): Promise<void> => {
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
    closingBytes += entry.bytes;
    const done = model.close().finally(() => {
      closingBytes -= entry.bytes;
      closing.delete(done);
    });
    closing.add(done);
    return done;
  };

  // Counts `bytes` for the entry, in the place of models that nobody holds, the least recently used first.
  const makeRoom = async (entry: Entry, bytes: number): Promise<void> => {
    const othersBytes = (): number => used() - entry.bytes;
    const idle = [...entries.values()].filter(({ holders, model }) => holders === 0 && model !== undefined);
    const idleBytes = idle.reduce((sum, one) => sum + one.bytes, 0);
    if (othersBytes() - idleBytes - closingBytes + bytes > limit) throw noRoom(bytes, othersBytes() - idleBytes, limit);
    // Before anything is waited for, so that loads at the same time do not count on the same room.
    const before = entry.bytes;
    const leaving = [...closing];
    let leavingBytes = closingBytes;
    for (const one of idle) {
      if (othersBytes() - leavingBytes + bytes <= limit) break;
      evictions++;
      leavingBytes += one.bytes;
      leaving.push(drop(one, one.model as LoadedModel));
    }
    entry.bytes = Math.max(before, bytes);
    await Promise.all(leaving);
    entry.bytes = bytes;
  };

  const load = async (entry: Entry, read: () => Promise<Uint8Array>, options: AcquireOptions): Promise<LoadedModel> => {
    loads++;
    const { size, ...loading } = options;
    if (size !== undefined) await makeRoom(entry, await size());
    const onnx = await read();
    await makeRoom(entry, onnx.byteLength);
    const model = await runtime.load(onnx, { ...loading, handsOver: true });
    try {
      // Only now it is known how many copies there are.
      await makeRoom(entry, model.memoryBytes);
      if (isClosed) throw stopping();
      entry.model = model;
      loaded(told(entry));
      return model;
    } catch (thrown) {
      await model.close();
      throw thrown;
    }
  };

  const start = (id: string, key: string, read: () => Promise<Uint8Array>, options: AcquireOptions): Entry => {
    const entry: Entry = {
      id,
      key,
      providers: options.providers,
      // Set below: the load counts in the entry.
      loading: Promise.resolve() as unknown as Promise<LoadedModel>,
      model: undefined,
      holders: 0,
      bytes: 0,
    };
    entries.set(key, entry);
    entry.loading = load(entry, read, options).catch((thrown: unknown) => {
      failedLoads++;
      if (entries.get(key) === entry) entries.delete(key);
      throw thrown;
    });
    return entry;
  };

  return {
    async acquire(id, read, options) {
      if (isClosed) throw stopping();
      const key = `${id} ${options.providers.join(',')} ${options.rows ?? ''}`;
      const entry = entries.get(key) ?? start(id, key, read, options);
      entry.holders++;
      touch(entries, entry);
      const letGo = (): void => {
        entry.holders--;
        touch(entries, entry);
      };
      try {
        const model = await entry.loading;
        let isHeld = true;
        return {
          model,
          release() {
            if (isHeld) letGo();
            isHeld = false;
          },
        };
      } catch (thrown) {
        letGo();
        throw thrown;
      }
    },
    async unload(id) {
      const own = [...entries.values()].filter((entry) => entry.id === id);
      if (own.some(({ holders, model }) => holders > 0 || model === undefined)) return false;
      await Promise.all(own.map((entry) => drop(entry, entry.model as LoadedModel)));
      return true;
    },
    isReady: (id) => [...entries.values()].some((entry) => entry.id === id && entry.model !== undefined),
    statistics: () => ({
      memoryBytes: used(),
      limitBytes: limit,
      loads,
      failedLoads,
      evictions,
      models: [...entries.values()].map(told),
    }),
    async close() {
      isClosed = true;
      const all = [...entries.values()];
      await Promise.allSettled(all.map(({ loading }) => loading));
      for (const entry of all) if (entry.model !== undefined && entries.has(entry.key)) void drop(entry, entry.model);
      await Promise.all(closing);
    },
  };
}

function told({ id, providers, model, holders, bytes }: Entry): RepositoryModel {
  return {
    id,
    providers,
    state: model === undefined ? 'loading' : 'ready',
    holders,
    memoryBytes: bytes,
    placement: model?.placement,
    nodesByProvider: model?.nodesByProvider,
    mixesRows: model?.mixesRows,
    rowsVerdict: model?.rowsVerdict,
    statistics: model?.statistics(),
  };
}

// Used last: to the end.
function touch(entries: Map<string, Entry>, entry: Entry): void {
  if (entries.get(entry.key) !== entry) return;
  entries.delete(entry.key);
  entries.set(entry.key, entry);
}

function noRoom(bytes: number, heldBytes: number, limit: number): HeadraceError {
  const mib = (size: number): string => `${Math.ceil(size / 1024 ** 2)} MiB`;
  return new HeadraceError(
    'HR_OVERLOADED',
    `the model takes ${mib(bytes)}, and models in use hold ${mib(heldBytes)} of the ${mib(limit)} that models may have. Serve fewer versions, or raise models.memory.`,
  );
}

function stopping(): HeadraceError {
  return new HeadraceError('HR_STOPPING', 'the server is stopping; it loads no more models.');
}
