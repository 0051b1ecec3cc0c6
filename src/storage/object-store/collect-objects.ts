// Objects that no row names and that are too old to be about to be named: what was applied and is not kept any more, and what a
// process left that died between an upload and its row.

import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { formatTimestamp, type Micros } from '../../core/index.ts';
import type { Collector, Removable } from '../collector.ts';
import type { Database } from '../database/database.ts';
import type { ObjectInfo, ObjectStore } from '../object-store.ts';
import type { RowsOwner } from '../rows-owner.ts';

export interface ObjectCollectorDeps {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly owners: readonly RowsOwner[];
  readonly nowMicros: () => Micros;
  /** Younger ones may be about to be named. */
  readonly keepMicros: Micros;
}

/** Where rows name objects; what lies elsewhere in the store is not ours. */
const PREFIXES = ['blobs/', 'events/', 'runs/', 'housekeeping/'] as const;

/** An object is put anew before it is named, and then is young: a look may be this old. */
const LOOK_MS = 10_000;

export function collectObjects(deps: ObjectCollectorDeps): Collector {
  const { database, objects, owners, nowMicros, keepMicros } = deps;
  const isOldAt = (now: Micros, { modifiedMicros }: ObjectInfo): boolean => now - modifiedMicros >= keepMicros;

  // An object's age is the difference of two times of the store: by a clock that is far ahead here, one that is just being put
  // would be old. The store's time of a moment ago will do, by which nothing is older than it is.
  let storeTime: Promise<Micros> | undefined;
  const isOld = async (info: ObjectInfo): Promise<boolean> => {
    storeTime ??= timeOf(objects);
    return isOldAt(Math.min(nowMicros(), await storeTime), info);
  };

  const used = async (db: Kysely<unknown>): Promise<ReadonlySet<string>> => {
    const keys = new Set<string>();
    for (const owner of owners) for await (const { key } of owner.objects?.(db) ?? []) keys.add(key);
    return keys;
  };

  // All that goes at once goes by one look, which is repeated when anything may have changed.
  let look: { readonly at: number; readonly keys: Promise<ReadonlySet<string>> } | undefined;
  const usedNow = (): Promise<ReadonlySet<string>> => {
    if (look === undefined || performance.now() - look.at > LOOK_MS) {
      const keys = database.transaction<unknown, ReadonlySet<string>>(used, { isSnapshot: true });
      look = { at: performance.now(), keys };
    }
    return look.keys;
  };

  const find = (key: string): Promise<ObjectInfo | undefined> => findObject(objects, key);

  return {
    name: 'object',
    async plan() {
      // Before the rows: what is put from now on is too young.
      const old: ObjectInfo[] = [];
      for (const prefix of PREFIXES) {
        for await (const info of objects.list(prefix)) if (isOldAt(nowMicros(), info)) old.push(info);
      }
      if (old.length === 0) return { items: [] };
      return database.transaction<unknown, Awaited<ReturnType<Collector['plan']>>>(
        async (trx) => {
          const keys = await used(trx);
          const orphans = old.filter(({ key }) => !keys.has(key));
          for (const owner of owners) {
            const foreign = await owner.foreign?.(
              trx,
              orphans.map(({ key }) => key),
            );
            if (foreign === undefined) continue;
            const note = `The artifact store holds ${foreign}, so another registry seems to use it: what that one needs can't be told from what nobody does, and no object is removed. Give each registry a store of its own (artifacts.url).`;
            return { items: [], notes: [note] };
          }
          return { items: orphans.map(toRemovable) };
        },
        { isSnapshot: true },
      );
    },
    async forget(trx, items) {
      const keys = await used(trx);
      const going: Removable[] = [];
      for (const item of items) {
        if (keys.has(item.id)) continue;
        const found = await find(item.id);
        // Whoever puts it again before naming it makes it young.
        if (found !== undefined && (await isOld(found))) going.push(item);
      }
      return going;
    },
    // Once more, for `forget` may have been a while ago, in a process that was killed.
    async erase({ id }) {
      const found = await find(id);
      if (found !== undefined && (await isOld(found)) && !(await usedNow()).has(id)) await objects.remove(id);
    },
  };
}

async function findObject(objects: ObjectStore, key: string): Promise<ObjectInfo | undefined> {
  for await (const info of objects.list(key)) if (info.key === key) return info;
  return undefined;
}

/** The store's time: that of an object which is put for this and removed again. */
async function timeOf(objects: ObjectStore): Promise<Micros> {
  const key = `housekeeping/time-${randomUUID()}`;
  await objects.put(key, new Uint8Array());
  try {
    // It was put just now; where somebody removed it nothing counts as old.
    return (await findObject(objects, key))?.modifiedMicros ?? -Infinity;
  } finally {
    await objects.remove(key);
  }
}

function toRemovable({ key, size, modifiedMicros }: ObjectInfo): Removable {
  return {
    id: key,
    what: key,
    why: `no definitions, model version, run or log names it; written ${formatTimestamp(modifiedMicros).slice(0, 10)}`,
    bytes: size,
    sinceMicros: modifiedMicros,
  };
}
