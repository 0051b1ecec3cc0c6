// Serving processes, as they tell of themselves: which definitions each has loaded, and which view versions it reads or
// folds into. One that is silent for long is taken to be gone.

import {
  canonicalJson,
  isProcessAlive,
  type Micros,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  parseJson,
  pidSpace,
} from '../../core/index.ts';
import type { RegistryStore } from '../store.ts';

export interface ServerState {
  /** For people. */
  readonly machine: string;
  readonly pid: number;
  /** Where the pid is its: as `pidSpace` of `core` has it; undefined in what an older build tells. */
  readonly pidSpace?: string;
  readonly startedMicros: Micros;
  /** The apply whose definitions it has loaded; null before the first. */
  readonly revision: number | null;
  /** Why it has not loaded what is applied; null when it has. */
  readonly failure: string | null;
  /** View versions that its answers come from. */
  readonly reads: readonly string[];
  /** Those that its pushes are folded into. */
  readonly folds: readonly string[];
  /** How far it is with traffic that was asked for, by endpoint; undefined in what an older build tells. */
  readonly prepared?: Readonly<Record<string, PreparedTraffic>>;
  /** What it makes of the traffic of each endpoint; undefined in what an older build tells. */
  readonly endpoints?: Readonly<Record<string, ServedTraffic>>;
}

/** A change of an endpoint's traffic that a server has loaded, or has failed to. */
export interface PreparedTraffic {
  readonly revision: number;
  /** Why it can't serve it; null when it can. */
  readonly failure: string | null;
}

/** What a server answers an endpoint's requests by. */
export interface ServedTraffic {
  /** As in `GET /v1/endpoints/{endpoint}`. */
  readonly state: 'serving' | 'stale' | 'failed' | 'empty';
  /** Of the traffic that it answers by; null where it answers nothing. */
  readonly revision: number | null;
  /** Model versions that answer. */
  readonly versions: readonly number[];
  /** Null when it serves what is wanted. */
  readonly reason: string | null;
}

export interface ServerRow extends ServerState {
  readonly id: string;
  readonly seenMicros: Micros;
}

export interface Servers {
  report(id: string, state: ServerState): Promise<void>;
  /** Those that told of themselves lately; with `andSilent` those that may only be stopped for a while, too. */
  list(andSilent?: boolean): Promise<readonly ServerRow[]>;
  /** All that were heard of, but for those that have left or are known to have died. */
  heard(): Promise<HeardServers>;
  /** It has ended. */
  leave(id: string): Promise<void>;
}

export interface HeardServers {
  /** As `list` has them. */
  readonly live: readonly ServerRow[];
  /** They may be stopped for a while, or cut off from the database alone, and answer requests all the same. */
  readonly silent: readonly ServerRow[];
}

/** Several times within it a server tells of itself: one that is silent for longer is not live. */
export const LATELY_MICROS = 15 * MICROS_PER_SECOND;
const SILENT_MICROS = 10 * MICROS_PER_MINUTE;
const GONE_MICROS = 60 * MICROS_PER_MINUTE;

/**
 * Whether a server that is silent is known to have ended without a word, killed or crashed: only where it ran on this machine and not in
 * another container. Of another's nobody can tell whether it is cut off from the database alone.
 */
function hasDied({ pidSpace: space, pid }: Pick<ServerState, 'pidSpace' | 'pid'>): boolean {
  return space === pidSpace() && !isProcessAlive(pid);
}

export function createServers({ db, sharedNow }: Pick<RegistryStore, 'db' | 'sharedNow'>): Servers {
  const seenSince = async (micros: Micros): Promise<ServerRow[]> => {
    const rows = await db
      .selectFrom('registry_servers')
      .selectAll()
      .where('seen_at', '>=', micros)
      .orderBy('id')
      .execute();
    // `report` wrote it.
    return rows.map(({ id, seen_at, state }) => ({
      id,
      seenMicros: seen_at,
      ...(parseJson(state) as unknown as ServerState),
    }));
  };
  return {
    async report(id, state) {
      const row = { seen_at: await sharedNow(), state: canonicalJson(state) };
      await db
        .insertInto('registry_servers')
        .values({ id, ...row })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute();
      await db
        .deleteFrom('registry_servers')
        .where('seen_at', '<', row.seen_at - GONE_MICROS)
        .execute();
    },
    list: async (andSilent = false) => seenSince((await sharedNow()) - (andSilent ? SILENT_MICROS : LATELY_MICROS)),
    async heard() {
      const now = await sharedNow();
      const all = await seenSince(now - SILENT_MICROS);
      const isLive = ({ seenMicros }: ServerRow): boolean => seenMicros >= now - LATELY_MICROS;
      return { live: all.filter(isLive), silent: all.filter((one) => !isLive(one) && !hasDied(one)) };
    },
    async leave(id) {
      await db.deleteFrom('registry_servers').where('id', '=', id).execute();
    },
  };
}
