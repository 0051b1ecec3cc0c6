// A real cluster: an entity's record lies whole on one node, reads and scans span all, slots move under way, and a
// failover that loses a node's last writes loses its mark with them.
// twin: test/contract/online-store.test.ts > the online store on $name
// twin: test/unit/ingestion-part-writer.test.ts > go to another as soon as that has them, those behind the first write too
// twin: test/unit/online-runs-marks.test.ts > whole where no node has one, but not where nodes were given other keys since: those were filled

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OnlineStore, RecordRef, StoredRecord, StoreWriter } from '../../src/online/online-store.ts';
import { slotOfKey } from '../../src/online/redis/cluster/slots.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { baseOf, forEver, openRun, partOf, refOf, writeAll } from '../support/online-writes.ts';
import { hasRedisCluster, type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const canCluster = hasRedisCluster();
if (!canCluster)
  skipBecause('the online store on Redis Cluster: there is no redis-server or redis-cli on this machine');

const basesOf = (refs: readonly RecordRef[], base: string | Uint8Array) => refs.map((ref) => baseOf(ref, base));
const foldOf = (record: StoredRecord | undefined) => Buffer.from(record?.parts[0]?.fold ?? []).toString();
const hashOf = ({ entity, key }: RecordRef) => `hr:{test:${entity}:${Buffer.from(key).toString('base64url')}}`;
const codeOf = async (work: () => unknown): Promise<string | undefined> => {
  try {
    await work();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe.skipIf(!canCluster)('on a Redis Cluster', () => {
  let cluster: RedisCluster;
  let store: OnlineStore;
  let writer: StoreWriter;
  const connected: string[] = [];
  const refs = Array.from({ length: 300 }, (_, index) => refOf(`key${index}`));
  const sizes = () => Promise.all(cluster.nodes.map(async (node) => Number((await node.command('DBSIZE')).slice(1))));
  beforeAll(async () => {
    cluster = await startRedisCluster();
    store = await openRedisStore(cluster.url, { project: 'test' });
    writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode: (node) => connected.push(node) });
  });
  afterAll(async () => {
    await writer?.close();
    await store?.close();
    await cluster?.stop();
  });

  it('writes, reads and scans records that lie on all nodes, and names each node to the writer', async () => {
    await writer.putParts(refs.map((ref, index) => partOf(ref, String(index))));
    expect((await store.read(refs)).map(foldOf)).toEqual(refs.map((_, index) => String(index)));
    let scanned = 0;
    for await (const { record } of store.scan('thing', 'v@1')) scanned += record.parts.length;
    expect(scanned).toBe(300);
    expect(Math.min(...(await sizes()))).toBeGreaterThan(30);
    expect(connected.toSorted()).toEqual(['slots 0', 'slots 10923', 'slots 5461']);
  });

  it('takes claims on all nodes', async () => {
    const claims = Array.from({ length: 60 }, (_, offset) => ({
      id: `c${offset}`,
      writer: 1,
      offset,
      payloadHash: 'h',
    }));
    expect(await writer.claim(claims)).toEqual(claims);
    await writer.finish(claims.map((claim) => ({ ...claim, result: 'r' })));
    expect(await writer.claims(claims.map(({ id }) => id))).toEqual(claims.map((claim) => ({ ...claim, result: 'r' })));
    await writer.expire(claims, 1);
    await expect.poll(() => writer.claims(['c0', 'c1', 'c2'])).toEqual([undefined, undefined, undefined]);
  });

  it('a run writes and marks each node', async () => {
    const run = await openRun(store, 4, 'run@1');
    expect(run.nodes).toEqual(['slots 0', 'slots 5461', 'slots 10923']);
    await writeAll(run, basesOf(refs, 'b'));
    await run.close();
    const records = await store.read(refs.map((ref) => ({ ...ref, version: 'run@1' })));
    expect(records.every((record) => record?.base?.toString() === 'b')).toBe(true);
    expect(await store.marks('run@1')).toEqual(run.nodes.map((node) => ({ node, run: 4 })));
  });

  it('a later run fences an earlier one at every node', async () => {
    const earlier = await openRun(store, 5, 'run@1');
    for (const node of earlier.nodes) await earlier.begin(node);
    const later = await openRun(store, 6, 'run@1');
    for (const node of earlier.nodes) expect(await codeOf(() => earlier.mark(node))).toBe('HR_ONLINE_UNAVAILABLE');
    await Promise.all([earlier.close(), later.close()]);
  });

  it('reads and writes go on while a slot moves and when it has moved', async () => {
    const [ref] = refs as [RecordRef];
    const slot = slotOfKey(hashOf(ref));
    const from = await cluster.masterOf(slot);
    const to = cluster.nodes.find((node) => node !== from) as RedisServer;
    const idOf = async (node: RedisServer) => (await node.command('CLUSTER MYID')).split('\r\n')[1];
    const move = (node: RedisServer, what: string) => node.command(`CLUSTER SETSLOT ${slot} ${what}`);
    expect(await move(to, `IMPORTING ${await idOf(from)}`)).toContain('OK');
    expect(await move(from, `MIGRATING ${await idOf(to)}`)).toContain('OK');
    expect(await from.command(`MIGRATE 127.0.0.1 ${to.port} ${hashOf(ref)} 0 1000`)).toContain('OK');
    const check = async (n: number) => {
      await writer.putParts([partOf(ref, `moved${n}`, { n })]);
      expect((await store.read(refs)).map(foldOf).slice(0, 2)).toEqual([`moved${n}`, '1']);
    };
    await check(10);
    for (const node of [to, from, ...cluster.nodes]) await move(node, `NODE ${await idOf(to)}`);
    await check(11);
    await check(12);
    expect(await from.command(`EXISTS ${hashOf(ref)}`)).toContain('MOVED');
  });

  it('a mark holds good for the slots that a node had, and the writer hears of those that came', async () => {
    const [ref] = refs as [RecordRef];
    const slot = slotOfKey(hashOf(ref)) + 1;
    const from = await cluster.masterOf(slot);
    const to = cluster.nodes.find((node) => node !== from) as RedisServer;
    await writeAll(await openRun(store, 7, 'moved@1'), [baseOf(ref, 'b')]);
    const marks = async () => (await store.marks('moved@1')).map(({ run }) => run);
    expect(await marks()).toEqual([7, 7, 7]);
    const heard = connected.length;
    await cluster.moveSlot(slot, to);
    // As soon as the store has seen it.
    await expect.poll(marks, { timeout: 15_000, interval: 100 }).toHaveLength(3);
    await expect.poll(async () => (await marks()).filter((run) => run === 7), { timeout: 15_000 }).toHaveLength(1);
    // Whoever asks whether the store was filled hears of the marks that hold good no more.
    expect((await store.marks('moved@1')).filter(({ lost }) => lost === 'slots')).toHaveLength(2);
    await expect.poll(() => connected.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(heard + 2);
    // A run that began before slots moved has not written what came.
    const run = await openRun(store, 8, 'moved@1');
    for (const node of run.nodes) await run.begin(node);
    await cluster.moveSlot(slot, from);
    for (const node of run.nodes) await run.mark(node);
    await run.close();
    await expect.poll(async () => (await marks()).filter((run) => run === 8), { timeout: 15_000 }).toHaveLength(1);
  });

  it('a run takes the end off records whose node has another first slot since they were given it', async () => {
    const day = () => 86_400_000;
    const other = await store.writer({ writer: 2, holder: 1, lifetimeMs: day, onNode: () => {} });
    const mortals = refs.map(({ key }) => ({ entity: 'mortal', key, version: 'v@1' }));
    await other.putParts(mortals.map((ref) => partOf(ref, 'f', { writer: 2 })));
    const from = await cluster.masterOf(0);
    await cluster.moveSlot(0, cluster.nodes.find((node) => node !== from) as RedisServer);
    await expect
      .poll(async () => (await store.marks('v@1')).map(({ node }) => node), { timeout: 15_000 })
      .toContain('slots 1');
    const run = await openRun(store, 9, 'v@1');
    await writeAll(run, basesOf(mortals, 'b'));
    await run.close();
    for (const ref of mortals) {
      const master = await cluster.masterOf(slotOfKey(hashOf(ref)));
      expect(await master.command(`PTTL ${hashOf(ref)}`)).toContain(':-1');
    }
    await other.close();
  }, 60_000);
});

describe.skipIf(!canCluster)('on a Redis Cluster with replicas', () => {
  let cluster: RedisCluster;
  let store: OnlineStore;
  beforeAll(async () => {
    cluster = await startRedisCluster({ replicas: 1, nodeTimeoutMs: 1500 });
    store = await openRedisStore(cluster.url, { project: 'test' });
  });
  afterAll(async () => {
    await store?.close();
    await cluster?.stop();
  });

  it('a failover that loses a node’s last writes loses its mark too, and the writer hears of the new master', async () => {
    const connected: string[] = [];
    const onNode = (node: string) => void connected.push(node);
    const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode });
    const refs = Array.from({ length: 1200 }, (_, index) => refOf(`key${index}`));
    const first = await openRun(store, 1);
    await writeAll(first, basesOf(refs, 'first'));
    await first.close();
    await writer.putParts(refs.map((ref) => partOf(ref, 'kept')));
    const master = await cluster.masterOf(0);
    const [replica] = (await cluster.replicasOf(master)) as [RedisServer];
    const offset = async (node: RedisServer) =>
      /master_repl_offset:(\d+)/.exec(await node.command('INFO replication'))?.[1];
    await expect.poll(async () => (await offset(replica)) === (await offset(master))).toBe(true);

    // The replica falls behind by more than sockets hold, and what it lacks goes down with its master.
    process.kill(replica.pid(), 'SIGSTOP');
    const second = await openRun(store, 2);
    const large = Buffer.alloc(65_536, 2);
    await writeAll(second, basesOf(refs, large));
    await second.close();
    expect((await store.marks('v@1')).map(({ run }) => run)).toEqual([2, 2, 2]);
    await master.kill();
    process.kill(replica.pid(), 'SIGCONT');

    await expect.poll(() => codeOf(() => store.read(refs)), { interval: 100, timeout: 25_000 }).toBeUndefined();
    expect(await store.marks('v@1')).toEqual([
      { node: 'slots 0', run: 1 },
      { node: 'slots 5461', run: 2 },
      { node: 'slots 10923', run: 2 },
    ]);
    const records = await store.read(refs);
    const lost = refs.filter((_, index) => records[index]?.base?.length !== large.length);
    expect(lost.length).toBeGreaterThan(0);
    expect(new Set(lost.map(({ entity, key }) => writer.nodeOf(entity, key)))).toEqual(new Set(['slots 0']));
    expect(records.every((record) => foldOf(record) === 'kept')).toBe(true);
    await expect.poll(() => connected.filter((node) => node === 'slots 0').length, { timeout: 10_000 }).toBe(2);
    expect(connected).toHaveLength(4);
    await expect
      .poll(() => codeOf(() => writer.putParts(refs.map((ref) => partOf(ref, 'again', { n: 2 })))), { timeout: 10_000 })
      .toBeUndefined();

    const third = await openRun(store, 3);
    await writeAll(third, basesOf(refs, 'third'));
    await third.close();
    expect((await store.marks('v@1')).map(({ run }) => run)).toEqual([3, 3, 3]);
    await writer.close();
  }, 60_000);

  it('a run whose node fails over hears that it must begin the node again', async () => {
    const run = await openRun(store, 9, 'over@1');
    const node = 'slots 5461';
    await run.begin(node);
    const master = await cluster.masterOf(5461);
    const [replica] = (await cluster.replicasOf(master)) as [RedisServer];
    const own = Array.from({ length: 300 }, (_, index) => refOf(`key${index}`)).filter(
      ({ entity, key }) => run.nodeOf(entity, key) === node,
    );
    await run.write(node, basesOf(own, 'b'));
    expect(await replica.command('CLUSTER FAILOVER')).toContain('OK');
    await expect.poll(async () => (await cluster.masterOf(5461)) === replica, { timeout: 20_000 }).toBe(true);
    const writing = async () => {
      await run.write(node, basesOf(own, 'c'));
      await run.mark(node);
    };
    expect(await codeOf(writing)).toBe('HR_ONLINE_UNAVAILABLE');
    await expect
      .poll(
        () =>
          codeOf(async () => {
            await run.begin(node);
            await writing();
          }),
        { interval: 100, timeout: 20_000 },
      )
      .toBeUndefined();
    const records = await store.read(own.map((ref) => ({ ...ref, version: 'over@1' })));
    expect(records.every((record) => record?.base?.toString() === 'c')).toBe(true);
    expect((await store.marks('over@1')).find((mark) => mark.node === node)?.run).toBe(9);
    await run.close();
  }, 60_000);
});
