// The shared online store: one Redis hash per entity key, a field per view and one for its pushed events. The key's
// hash tag keeps it on one node of a cluster. A read is one pipelined round trip; a write compares and sets.

import { type Clock, type EncodedKey, HeadraceError } from '../../core/index.ts';
import type { FullRecord, OnlineStore, RecordChange, RecordRef, StoredRecord } from '../online-store.ts';
import { isEmptyChange, packValue, unpackFull, unpackValue, VERSION_BYTES, versionOf } from '../stored-value.ts';
import { COMPARE_AND_SET_SHA } from './compare-and-set.ts';
import { connectRedis, parseRedisUrl } from './redis-connection.ts';
import { createRoundTrip, scanKeys } from './round-trip.ts';

export interface RedisStoreOptions {
  readonly project: string;
  readonly clock: Clock;
}

/** Records compared and set in one round trip. */
const BATCH = 500;
/** Each failed try means that someone else's change went through; past this many something else is wrong. */
const MOST_TRIES = 100;

interface Attempt {
  readonly index: number;
  readonly ref: RecordRef;
}

export async function openRedisStore(url: string, { project }: RedisStoreOptions): Promise<OnlineStore> {
  const address = parseRedisUrl(url);
  const connection = await connectRedis(address);
  const run = createRoundTrip(connection, address.label);
  const metaKey = `hr:meta:{${project}}`;
  const prefixOf = (entity: string): string => `hr:{${project}:${entity}:`;
  const keyOf = (ref: RecordRef): string =>
    `${prefixOf(ref.entity)}${Buffer.from(ref.key.buffer, ref.key.byteOffset, ref.key.length).toString('base64url')}}`;
  const logField = (view: string): string => `${view}|log`;

  const fetchFull = async (refs: readonly RecordRef[]): Promise<(FullRecord | undefined)[]> => {
    const replies = await run(refs.map((ref) => ['HMGET', keyOf(ref), ref.view, logField(ref.view)]));
    return replies.map((reply) => {
      // HMGET gives one buffer or null per field.
      const [value, log] = reply as readonly [Buffer | null, Buffer | null];
      return value === null ? undefined : { ...unpackFull(value, log ?? undefined), [VERSION]: versionOf(value) };
    });
  };

  /** Tries each record once; gives those whose version had changed under it. */
  const attempt = async (
    attempts: readonly Attempt[],
    change: (current: FullRecord | undefined, index: number) => RecordChange | null,
    written: { count: number },
  ): Promise<Attempt[]> => {
    const current = await fetchFull(attempts.map(({ ref }) => ref));
    const writes: { attempt: Attempt; command: (string | number | Buffer)[] }[] = [];
    attempts.forEach((one, at) => {
      const record = current[at];
      const next = change(record, one.index);
      if (next === null) return;
      writes.push({ attempt: one, command: setCommand(keyOf(one.ref), one.ref.view, record, next) });
    });
    const replies = await run(writes.map((write) => write.command));
    const again: Attempt[] = [];
    replies.forEach((reply, at) => {
      if (reply === 1) written.count++;
      else again.push((writes[at] as (typeof writes)[number]).attempt);
    });
    return again;
  };

  return {
    async read(refs) {
      const replies = await run(refs.map((ref) => ['HGET', keyOf(ref), ref.view]));
      // HGET gives a buffer or null.
      return replies.map((reply): StoredRecord | undefined =>
        reply === null ? undefined : unpackValue(reply as Buffer),
      );
    },
    readFull: fetchFull,
    async update(refs, change) {
      const written = { count: 0 };
      for (let from = 0; from < refs.length; from += BATCH) {
        let left: Attempt[] = refs.slice(from, from + BATCH).map((ref, at) => ({ index: from + at, ref }));
        for (let tries = 0; left.length > 0; tries++) {
          if (tries === MOST_TRIES) {
            throw new HeadraceError(
              'HR_ONLINE_UNAVAILABLE',
              `${left.length} records at ${address.label} kept changing; try again`,
            );
          }
          left = await attempt(left, change, written);
        }
      }
      return written.count;
    },
    async *scan(entity, view) {
      const prefix = prefixOf(entity);
      for await (const keys of scanKeys(connection, prefix, address.label)) {
        const refs = keys.map((key): RecordRef => {
          const encoded = new Uint8Array(Buffer.from(key.slice(prefix.length, -1), 'base64url'));
          // Branding: keyOf wrote an encoded key there.
          return { entity, view, key: encoded as EncodedKey };
        });
        const records = await fetchFull(refs);
        for (const [at, record] of records.entries()) {
          if (record !== undefined) yield { key: (refs[at] as RecordRef).key, record };
        }
      }
    },
    async getMeta(name) {
      const [value] = await run([['HGET', metaKey, name]]);
      return Buffer.isBuffer(value) ? value.toString() : undefined;
    },
    async setMeta(name, value) {
      await run([['HSET', metaKey, name, value]]);
    },
    // Redis forgets by itself: every hash carries its expiry.
    removeExpired: async () => 0,
    async close() {
      connection.disconnect();
    },
  };

  function setCommand(
    key: string,
    view: string,
    current: FullRecord | undefined,
    next: RecordChange,
  ): (string | number | Buffer)[] {
    const version = current === undefined ? 0 : (current as VersionedRecord)[VERSION];
    const expected = Buffer.alloc(current === undefined ? 0 : VERSION_BYTES);
    if (current !== undefined) expected.writeDoubleLE(version);
    const none = Buffer.alloc(0);
    return [
      'EVALSHA',
      COMPARE_AND_SET_SHA,
      1,
      key,
      view,
      logField(view),
      expected,
      // A random version is never met again, even when a record is removed and made anew in between.
      isEmptyChange(next) ? none : packValue(next, Math.random()),
      next.pushedLog === undefined ? none : Buffer.from(next.pushedLog),
      next.expiresAtMicros === undefined ? '' : String(Math.ceil(next.expiresAtMicros / 1000)),
    ];
  }
}

const VERSION = Symbol('version');

/** A record with the version that it was read at, out of sight of whoever changes it. */
interface VersionedRecord extends FullRecord {
  readonly [VERSION]: number;
}
