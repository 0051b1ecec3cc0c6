// Reads of one turn go to Redis as one: a key is asked once, each read gets its own answer, and what goes wrong with one
// fails no other.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OnlineStore, RecordRef, StoredRecord } from '../../src/online/online-store.ts';
import { slotOfKey } from '../../src/online/redis/cluster/slots.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { baseOf, forEver, openRun, partOf, refOf, writeAll } from '../support/online-writes.ts';
import { hasRedisCluster, type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { runs } from '../support/tier.ts';

if (!hasRedis()) skipBecause('coalesced reads: there is no redis-server on this machine');
if (!hasRedisCluster()) skipBecause('coalesced reads of a cluster: there is no redis-server or redis-cli here');

const NAMES = Array.from({ length: 12 }, (_, at) => `key ${at}`);
const VERSIONS = ['v@1', 'v@2', 'w@1'];

const shown = (record: StoredRecord | undefined): string | undefined =>
  record === undefined
    ? undefined
    : [
        Buffer.from(record.base ?? []).toString(),
        ...record.parts.map(({ fold }) => Buffer.from(fold).toString()),
      ].join();
const hashOf = ({ entity, key }: RecordRef) => `hr:{test:${entity}:${Buffer.from(key).toString('base64url')}}`;
const codeOf = (error: unknown) => (error as { code?: unknown }).code;
/** What each read gave, as `shown` shows it, or the code of its error. */
const ends = async (...reads: ReturnType<OnlineStore['read']>[]) =>
  (await Promise.allSettled(reads.map(async (read) => read))).map((read) =>
    read.status === 'fulfilled' ? read.value.map(shown) : codeOf(read.reason),
  );

describe.skipIf(!hasRedis())('reads of one turn', () => {
  let server: RedisServer;
  let store: OnlineStore;
  /** What a ref's record is, as `shown` shows it. */
  const expected = new Map<string, string>();
  const idOf = ({ key, version, entity }: RecordRef) => `${entity} ${Buffer.from(key).toString('hex')} ${version}`;

  beforeAll(async () => {
    server = await startRedis();
    store = await openRedisStore(server.url, { project: 'test' });
    const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
    for (const [at, version] of VERSIONS.entries()) {
      // Of each three keys one has nothing, one a base, one a base and a part.
      const refs = NAMES.filter((_, name) => (name + at) % 3 > 0).map((name) => refOf(name, version));
      await writeAll(
        await openRun(store, 1, version),
        refs.map((ref) => baseOf(ref, `base ${idOf(ref)}`)),
      );
      const pushed = refs.filter((_, index) => index % 2 === 0);
      await writer.putParts(pushed.map((ref) => partOf(ref, `part ${idOf(ref)}`)));
      for (const ref of refs) {
        const part = pushed.includes(ref) ? `,part ${idOf(ref)}` : '';
        expected.set(idOf(ref), `base ${idOf(ref)}${part}`);
      }
    }
    await writer.close();
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });
  const callsOfHgetall = async (): Promise<number> =>
    Number(/cmdstat_hgetall:calls=(\d+)/.exec(await server.command('INFO commandstats'))?.[1] ?? 0);

  it('each get their own answer, and ask for a key once', async () => {
    const ref = fc
      .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VERSIONS), fc.constantFrom('thing', 'other'))
      // A new key object each time, as two requests have.
      .map(([name, version, entity]) => refOf(name, version, entity));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(ref, { maxLength: 12 }), { minLength: 1, maxLength: 12 }), async (reads) => {
        const before = await callsOfHgetall();
        const answers = await Promise.all(reads.map(async (refs) => store.read(refs)));
        expect(answers.map((records) => records.map(shown))).toEqual(
          reads.map((refs) => refs.map((one) => expected.get(idOf(one)))),
        );
        const distinct = new Set(reads.flat().map(hashOf));
        expect((await callsOfHgetall()) - before).toBe(distinct.size);
      }),
      { numRuns: runs(100) },
    );
  });

  it('of thousands of keys find each', async () => {
    const refs = Array.from({ length: 5000 }, (_, at) => refOf(at % 2 === 0 ? `key ${at % 24}` : `none ${at}`));
    const before = await callsOfHgetall();
    const [all, some] = await Promise.all([store.read(refs), store.read(refs.slice(0, 100))]);
    const wanted = refs.map((ref) => expected.get(idOf(ref)));
    expect(all.map(shown)).toEqual(wanted);
    expect(some.map(shown)).toEqual(wanted.slice(0, 100));
    expect((await callsOfHgetall()) - before).toBe(new Set(refs.map(hashOf)).size);
  });

  it('fail alone for a key whose value is of another kind', async () => {
    const broken = refOf('broken');
    await server.command(`SET ${hashOf(broken)} text`);
    const [good, other] = [refOf('key 1'), refOf('key 2')];
    const wanted = [good, other].map((ref) => expected.get(idOf(ref)));
    expect(
      await ends(store.read([good]), store.read([good, broken]), store.read([broken]), store.read([good, other])),
    ).toEqual([wanted.slice(0, 1), 'HR_ONLINE_UNAVAILABLE', 'HR_ONLINE_UNAVAILABLE', wanted]);
  });

  it('all fail when the connection hangs, and those of a later turn are answered', async () => {
    await server.command('CLIENT PAUSE 1500 ALL');
    const reads = Array.from({ length: 20 }, async (_, at) => store.read([refOf(`key ${at % 12}`)]));
    expect(new Set(await ends(...reads))).toEqual(new Set(['HR_ONLINE_UNAVAILABLE']));
    const ref = refOf('key 1');
    await expect.poll(() => ends(store.read([ref])), { timeout: 10_000 }).toEqual([[expected.get(idOf(ref))]]);
  });
});

describe.skipIf(!hasRedisCluster())('reads of one turn from a cluster', () => {
  let cluster: RedisCluster;
  let store: OnlineStore;
  beforeAll(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 2000, settings: ['--cluster-require-full-coverage', 'no'] });
    store = await openRedisStore(cluster.url, { project: 'test' });
    await writeAll(
      await openRun(store, 1),
      NAMES.map((name) => baseOf(refOf(name), name)),
    );
  }, 60_000);
  afterAll(async () => {
    await store?.close();
    await cluster?.stop();
  });

  it('fail where a node is gone, and nowhere else', async () => {
    const gone = await cluster.masterOf(0);
    const isGone = (name: string) => slotOfKey(hashOf(refOf(name))) < 5461;
    const [first] = NAMES.filter(isGone);
    const others = NAMES.filter((name) => !isGone(name));
    expect(await store.read(NAMES.map((name) => refOf(name)))).toHaveLength(NAMES.length);
    process.kill(gone.pid(), 'SIGSTOP');
    try {
      const read = (...names: readonly (string | undefined)[]) =>
        store.read(names.map((name) => refOf(name as string)));
      expect(await ends(read(...others), read(first), read(...NAMES), read(others[0]))).toEqual([
        others,
        'HR_ONLINE_UNAVAILABLE',
        'HR_ONLINE_UNAVAILABLE',
        others.slice(0, 1),
      ]);
    } finally {
      process.kill(gone.pid(), 'SIGCONT');
    }
  });
});
