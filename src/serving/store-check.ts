// Whether the store that was opened is the one that runs filled: of each view version that is served and complete by the
// registry, the nodes' marks are read until each was seen once. A wrong `project` or `online.url`, and a store that was
// emptied, would otherwise answer NOT_FOUND for everything.

import { HeadraceError } from '../core/index.ts';
import {
  describeLack,
  joinLacks,
  type Lack,
  lackOf,
  type OnlineStore,
  type RecordDirectory,
  type Runs,
  type StorePlace,
} from '../online/index.ts';
import { versionsReadIn } from './snapshot.ts';
import type { ServingDeps } from './serving-deps.ts';
import type { Snapshot } from './snapshot.ts';

export interface StoreCheck {
  /** Looks when it is due. An online store that is away says nothing; throws what the registry says. */
  look(snapshot: Snapshot | undefined): Promise<void>;
  health(): StoreHealth;
}

export interface StoreHealth {
  /** Of each version that is served. */
  readonly views: readonly ViewHealth[];
  /** Why the store is taken to be another one; null once anything was found, and where nothing is expected. */
  readonly otherStore: string | null;
}

export interface ViewHealth {
  readonly view: string;
  readonly version: string;
  /**
   * `filling`: a run has to finish first; `complete`: the store has it; `partial`: some nodes lack it; `absent`: all do;
   * `unknown`: the store has not said.
   */
  readonly state: 'filling' | 'complete' | 'partial' | 'absent' | 'unknown';
  /** Those that lack it. */
  readonly nodes: readonly string[];
  /** Null where nothing is lacking. */
  readonly reason: string | null;
}

type Served = Snapshot['versions'][number];

/** While a mark was not seen: a run may have brought it, or be the first that one is expected of. */
const LOOK_EVERY_MS = 1000;

/** `nowMs` is steady. */
export function createStoreCheck(deps: StoreCheckDeps, nowMs: () => number = () => performance.now()): StoreCheck {
  const { store, storePlace, directory, runs, logger } = deps;
  /** Whose marks every node had, of those that are served. */
  const seen = new Set<string>();
  /** What was found of the others; null where no run has filled them, so that no mark is expected. */
  let found: ReadonlyMap<string, Lack | null> = new Map();
  let views: readonly ViewHealth[] = [];
  let otherStore: string | null = null;
  let hasStood = false;
  let told = '';
  let lookedAt: Snapshot | undefined;
  let hasUnseen = false;
  let nextMs = -Infinity;

  /** False where the store is away. */
  const readMarks = async (unseen: readonly Served[]): Promise<boolean> => {
    // What only pushes have filled is served for ever, and known without asking.
    const isFilled = ({ version }: Served): boolean => directory.lastFinished(version) !== undefined;
    const unfilled = unseen.filter((one) => !isFilled(one)).map((one) => [idOf(one), null] as const);
    const wanted = unseen.filter(isFilled);
    try {
      const filled = wanted.length === 0 ? new Set<string>() : await runs.filledVersions();
      const looks = wanted.map(async (one): Promise<readonly [string, Lack | null]> => {
        const lack = filled.has(one.version) ? lackOf(await store.marks(one.version)) : null;
        if (lack === undefined) seen.add(idOf(one));
        return [idOf(one), lack ?? null];
      });
      found = new Map([...unfilled, ...(await Promise.all(looks))]);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_ONLINE_UNAVAILABLE') throw thrown;
      found = new Map([...found, ...unfilled]);
      return false;
    }
  };

  const lackKnown = (one: Served): Lack | null | undefined => (seen.has(idOf(one)) ? null : found.get(idOf(one)));

  const tell = (lacking: readonly ViewHealth[], reason: string): void => {
    const text = lacking.map(({ version, state, nodes }) => [version, state, ...nodes].join(' ')).join();
    if (text === told) return;
    const versions = lacking.map(({ version }) => version);
    if (text === '')
      logger.info({ store: storePlace.url }, 'the online store lacks nothing any more of what is served');
    else logger.error({ versions, reason }, 'the online store lacks what the registry says is complete');
    told = text;
  };

  const judge = (snapshot: Snapshot, served: readonly Served[], isKnown: boolean): void => {
    const applied = snapshot.definitions.manifest.project;
    views = served.map((one) => viewHealth(one, snapshot.complete.has(one), lackKnown(one), storePlace, applied));
    if (!isKnown) return;
    const lacking = views.filter(({ reason }) => reason !== null);
    const reason = lacking.length === 0 ? '' : describeAll(lacking, storePlace, applied);
    const isOther = seen.size === 0 && lacking.length > 0 && lacking.every(({ state }) => state === 'absent');
    // Whatever becomes of it later must not take every server from the balancer at once.
    hasStood ||= !isOther;
    otherStore = hasStood ? null : reason;
    tell(lacking, reason);
  };

  return {
    health: () => ({ views, otherStore }),
    async look(snapshot) {
      const now = nowMs();
      if (snapshot === undefined || (snapshot === lookedAt && (!hasUnseen || now < nextMs))) return;
      const read = new Set(versionsReadIn(snapshot));
      const served = snapshot.versions.filter(({ version }) => read.has(version));
      const ids = new Set(served.map(idOf));
      for (const id of seen) if (!ids.has(id)) seen.delete(id);
      const unseen = (): Served[] => served.filter((one) => snapshot.complete.has(one) && !seen.has(idOf(one)));
      const isKnown = await readMarks(unseen());
      judge(snapshot, served, isKnown);
      lookedAt = snapshot;
      hasUnseen = unseen().length > 0;
      nextMs = now + LOOK_EVERY_MS;
    },
  };
}

export interface StoreCheckDeps extends Pick<ServingDeps, 'storePlace' | 'logger'> {
  readonly store: Pick<OnlineStore, 'marks'>;
  readonly directory: Pick<RecordDirectory, 'lastFinished'>;
  readonly runs: Pick<Runs, 'filledVersions'>;
}

/** A version that came back after it was removed is another one to the store. */
const idOf = ({ version, epoch }: Served): string => `${version} ${epoch}`;

/** `lack`: null where nothing is lacking, undefined where the store has not said. */
function viewHealth(
  { view, version }: Served,
  isComplete: boolean,
  lack: Lack | null | undefined,
  place: StorePlace,
  applied: string,
): ViewHealth {
  const as = (state: ViewHealth['state']): ViewHealth => ({ view, version, state, nodes: [], reason: null });
  if (!isComplete) return as('filling');
  if (lack === undefined) return as('unknown');
  if (lack === null) return as('complete');
  const reason = describeLack([version], lack, place, applied);
  return { view, version, state: lack.isAbsent ? 'absent' : 'partial', nodes: lack.nodes, reason };
}

/** Of all together: what is wrong with the store is wrong for each. */
function describeAll(lacking: readonly ViewHealth[], place: StorePlace, applied: string): string {
  const versions = lacking.map(({ version }) => version);
  const lacks = lacking.map(({ nodes, state }) => ({ nodes, isAbsent: state === 'absent' }));
  return describeLack(versions, joinLacks(lacks), place, applied);
}
