// One version of a plain model that a server keeps in memory: loaded at once, tried again while it can't be, let go of once.

import { type HeadraceError, type Logger, toHeadraceError } from '../../core/index.ts';
import { isTransient, type LoadedModel, type ModelLease } from '../../models/index.ts';
import type { PlainVersion } from '../../registry/index.ts';
import { retryDelayMs } from '../load-retry.ts';
import type { ModelHolders } from '../model-statistics.ts';
import type { IndexedModel } from './inference-plane.ts';

export interface HeldVersion {
  readonly version: PlainVersion;
  /** Undefined while it is not in memory. */
  model(): LoadedModel | undefined;
  state(): Pick<IndexedModel, 'state' | 'reason'>;
  /** Starts another try where one is due; `isAsked`: somebody waits for it, so that it is. */
  retry(isAsked: boolean): void;
  /** Resolves once it is not being loaded. Never rejects. */
  settled(): Promise<void>;
  /** It stays warm while there is room, for requests that have it. */
  release(): void;
}

export interface HeldVersionDeps {
  readonly acquire: (version: PlainVersion) => Promise<ModelLease>;
  readonly logger: Logger;
  readonly hold: ModelHolders['hold'];
}

export function createHeldVersion(version: PlainVersion, { acquire, logger, hold }: HeldVersionDeps): HeldVersion {
  let lease: ModelLease | undefined;
  let end: (() => void) | undefined;
  let failure: HeadraceError | undefined;
  let loading: Promise<void> | undefined;
  let isReleased = false;
  let tries = 0;
  let retryAtMs = 0;

  const { model: name, version: number } = version;
  const load = async (): Promise<void> => {
    try {
      const taken = await acquire(version);
      if (isReleased) return taken.release();
      lease = taken;
      end = hold(taken.model, name, number);
      failure = undefined;
      logger.info({ model: name, version: number }, 'plain model is served');
    } catch (thrown) {
      const before = failure?.message;
      failure = toHeadraceError(thrown);
      const waitMs = retryDelayMs(tries++, Math.random());
      retryAtMs = isTransient(failure) ? performance.now() + waitMs : Infinity;
      const { code, message: reason } = failure;
      if (reason !== before)
        logger.error({ model: name, version: number, code, reason }, 'plain model can not be loaded');
    }
  };
  const begin = (): void => {
    // Once it is set, also where the load fails at once.
    loading ??= load().finally(() => (loading = undefined));
  };

  begin();
  return {
    version,
    model: () => lease?.model,
    state() {
      if (lease !== undefined) return { state: 'READY', reason: '' };
      if (failure !== undefined) return { state: 'UNAVAILABLE', reason: failure.message };
      return { state: 'LOADING', reason: '' };
    },
    retry(isAsked) {
      if (lease !== undefined || failure === undefined) return;
      if (isAsked || performance.now() >= retryAtMs) begin();
    },
    settled: async () => loading,
    release() {
      isReleased = true;
      end?.();
      lease?.release();
      lease = undefined;
    },
  };
}
