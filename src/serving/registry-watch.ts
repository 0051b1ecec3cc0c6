// Looks again and again at what the registry says, has it loaded when it changed, and tells the registry what this server
// serves by it. One look at a time; one that hangs is given up, and what it still finds is not taken.

import { createLooks } from './looks.ts';
import { createRedactionCheck } from './redaction-check.ts';
import type { RequestTruths } from './request-truths.ts';
import { createSelfReport } from './self-report.ts';
import type { ServingDeps } from './serving-deps.ts';
import type { SnapshotLoader } from './snapshot-loader.ts';
import { createStoreCheck, type StoreHealth } from './store-check.ts';

export interface RegistryWatch {
  /** Looks whether anything changed, and swaps when it did. Never throws: what fails stays as it was and is logged. */
  refresh(): Promise<void>;
  /** A look that begins now; throws what it does. */
  catchUp(): Promise<void>;
  storeHealth(): StoreHealth;
  /** The registry hears that this server is gone; nothing tells it otherwise afterwards. */
  close(): Promise<void>;
}

const CHECK_EVERY_MS = 1000;
/** What is lacking is looked for again after this, then after twice as long each time, up to a minute. */
const RETRY_MS = 1000;
const MOST_RETRY_MS = 60_000;

/** `failing`: which endpoints fail at every request. */
export function createRegistryWatch(
  deps: ServingDeps,
  loader: SnapshotLoader,
  failing: RequestTruths['failing'],
): RegistryWatch {
  const { registry, directory, logger } = deps;
  const report = createSelfReport(deps, failing);
  const storeCheck = createStoreCheck({ ...deps, runs: deps.ingestion.runs });
  const redactionCheck = createRedactionCheck(deps.redact, logger);
  /** The number of the last look. */
  let latest = 0;
  let seenToken = -1;
  let retryAt = 0;
  let retryMs = RETRY_MS;
  let lastCheck = -Infinity;

  const tell = (): Promise<void> => report.tell(loader.current(), loader.failure()?.error ?? null, loader.prepared());

  /** What changed, and what could not be loaded when it did. */
  const loadChanges = async (isAbandoned: () => boolean): Promise<void> => {
    loader.retry();
    const token = await registry.changeToken();
    const isFresh = token !== seenToken;
    if (isFresh) retryMs = RETRY_MS;
    else if (!loader.isLacking()) return;
    else if (performance.now() < retryAt) {
      const failure = loader.failure();
      if (failure !== undefined) throw failure.thrown;
      return;
    }
    try {
      await loader.load({ token, isFresh, isAbandoned });
      seenToken = token;
      retryAt = performance.now() + retryMs;
      retryMs = Math.min(2 * retryMs, MOST_RETRY_MS);
    } catch (thrown) {
      // Whoever mends the code waits for it: every second.
      retryAt = performance.now() + RETRY_MS;
      if (loader.failure() !== undefined) seenToken = token;
      throw thrown;
    }
  };

  /** Traffic that this server has loaded, or failed to, may be active now, or never. */
  const settleTraffic = async (isAbandoned: () => boolean): Promise<void> => {
    const slots = [...(loader.current()?.endpoints.values() ?? [])];
    const preparing = slots.filter(({ state }) => state.change?.state === 'preparing');
    if (preparing.length === 0) return;
    const settled = await Promise.all(preparing.map(({ state }) => registry.endpoints.settleTraffic(state.name)));
    if (settled.every(({ change }) => change?.state === 'preparing')) return;
    await loadChanges(isAbandoned);
    if (!isAbandoned()) await tell();
  };

  const lookOnce = async (): Promise<void> => {
    const own = ++latest;
    const isAbandoned = (): boolean => own !== latest;
    try {
      await loadChanges(isAbandoned);
    } finally {
      // Whatever can't be loaded: others have to hear of it, and that this server is there.
      if (!isAbandoned()) await tell();
    }
    await settleTraffic(isAbandoned);
    await directory.refresh();
  };

  /** Versions that are being filled may be complete by now. */
  const checkWaiting = async (): Promise<void> => {
    const waiting = loader.waiting();
    if (waiting.length === 0 || performance.now() - lastCheck < CHECK_EVERY_MS) return;
    lastCheck = performance.now();
    await deps.completeVersions(waiting);
  };

  const looks = createLooks({
    look: lookOnce,
    async goOn() {
      await checkWaiting();
      redactionCheck.look(loader.current());
      await storeCheck.look(loader.current());
    },
    logger,
    whenFailed: 'could not look for changes',
  });

  return {
    refresh: looks.refresh,
    catchUp: looks.catchUp,
    storeHealth: () => storeCheck.health(),
    async close() {
      await looks.settled();
      // One that was given up may still run, and would tell that this server is there.
      latest++;
      await report.leave();
    },
  };
}
