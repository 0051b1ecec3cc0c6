// A store that stays away: nobody waits for it without end, and nothing piles up without bound. And one that loses what it had:
// the writers' parts come back on the next connection, with the answers under their keys, from memory and from the log.

import { beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, HeadraceError, MICROS_PER_MINUTE, sha256Hex } from '../../src/core/index.ts';
import { createViewCodec, type StoreWriter } from '../../src/online/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import {
  type IngestionWorld,
  keyOf,
  NOW,
  openIngestionWorld,
  type PushProcess,
  writersOf,
} from '../support/ingestion-world.ts';
import { onlineStoreKinds, redisWith } from '../support/online-stores.ts';
import { hasRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;
const event = (k: string) => ({ k, happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: 1 });
const [kind] = onlineStoreKinds();

describe.skipIf(kind === undefined)('while the store is away', () => {
  const world = eachWorld(() => openIngestionWorld(kind as NonNullable<typeof kind>));
  let isAway = false;
  beforeEach(async () => {
    isAway = false;
  });
  const push = ({ ingestion }: PushProcess, k: string, key?: string) => ingestion.push('events', [event(k)], key);

  const unlessAway =
    <A, R>(work: (given: A) => Promise<R>) =>
    (given: A): Promise<R> =>
      isAway ? Promise.reject(new HeadraceError('HR_ONLINE_UNAVAILABLE', 'it is away')) : work(given);
  const between = writersOf(({ putParts, claim, finish }) => ({
    putParts: unlessAway(putParts),
    claim: unlessAway(claim),
    finish: unlessAway(finish),
  }));
  const open = (more: Partial<Parameters<IngestionWorld['open']>[0]> = {}): Promise<PushProcess> =>
    world.open({ definitions: () => definitions, between, limits: { timeoutMs: 1000 }, ...more });

  /** Resolves with a look that waits for a cut, which waits for the store. */
  const hangingLook = async (server: PushProcess): Promise<void> => {
    isAway = true;
    push(server, 'waits').catch(() => {});
    await expect.poll(() => server.ingestion.status().writer?.pending).toBe(1);
    await world.ask(manifest);
    await server.ingestion.look();
    await world.ask(manifest);
    await server.ingestion.look();
  };

  it('a writer whose cut waits still learns that it was forgotten, and the next one answers', async () => {
    const server = await open();
    await push(server, 'a');
    // A look in the middle of a cut may be the one to learn it.
    const looked = hangingLook(server).catch(() => {});
    await expect.poll(() => server.ingestion.status().writer?.cut).toBe(2);
    const elsewhere = await open({ machine: 'b' });
    await elsewhere.log.forget(1);
    await expect
      .poll(
        () => {
          server.ingestion.look().catch(() => {});
          return server.ingestion.status().writer;
        },
        { timeout: 10_000 },
      )
      .toBeNull();
    await looked;
    isAway = false;
    await push(server, 'a');
    const run = await world.ask(manifest);
    await server.ingestion.look();
    const writer = server.ingestion.status().writer?.writer as number;
    await expect.poll(async () => (await world.runs.answers(run.number)).has(writer)).toBe(true);
  });

  it('a process ends all the same, and the next one settles what it left', async () => {
    const server = await open({ closeLimitMs: 100 });
    await push(server, 'a');
    const looked = hangingLook(server);
    await expect.poll(() => server.ingestion.status().writer?.cut).toBe(2);
    await server.close();
    await looked;
    isAway = false;
    const next = await open();
    expect(await next.ingestion.settle()).toBe(1);
    expect(await world.valuesOf(manifest, 'waits')).toMatchObject({ rows: 1n });
  });

  it('a settlement gives up after a while, and the next one does it', async () => {
    const dead = await open();
    await push(dead, 'a');
    await dead.drop();
    const next = await open({ limits: { timeoutMs: 200 } });
    isAway = true;
    expect(await next.ingestion.settle()).toBe(0);
    expect(next.ingestion.status().settled).toEqual([]);
    isAway = false;
    expect(await next.ingestion.settle()).toBe(1);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 1n });
  });

  it('a node of several that is away holds up only what lies on it', async () => {
    const goneIds = new Set<string>();
    const onGone = (text: string): boolean => goneIds.has(text);
    const nodeOf = (_entity: string, key: Uint8Array): string =>
      onGone(Buffer.from(key).toString('hex')) ? 'gone' : 'there';
    let asked = 0;
    const ofNode =
      <A>(isOnGone: (one: A) => boolean, work: (given: readonly A[]) => Promise<unknown>) =>
      async (given: readonly A[]) => {
        if (isAway && given.some(isOnGone)) {
          asked++;
          throw new HeadraceError('HR_ONLINE_UNAVAILABLE', 'the node is away');
        }
        return work(given);
      };
    const isOf = ({ entity, key }: { entity: string; key: Uint8Array }) => nodeOf(entity, key) === 'gone';
    const isOfClaim = ({ id }: { id: string }) => onGone(id);
    const nodes = writersOf((writer) => ({
      nodeOf,
      nodeOfClaim: (id) => (onGone(id) ? 'gone' : 'there'),
      putParts: ofNode(isOf, writer.putParts) as StoreWriter['putParts'],
      claim: ofNode(isOfClaim, writer.claim) as StoreWriter['claim'],
      finish: ofNode(isOfClaim, writer.finish) as StoreWriter['finish'],
    }));
    goneIds.add(Buffer.from(keyOf('gone')).toString('hex'));
    goneIds.add(sha256Hex(JSON.stringify(['events', 'gone key'])));
    const server = await open({ between: nodes, limits: { timeoutMs: 200 } });
    for (const k of ['there', 'gone']) await push(server, k);
    isAway = true;
    const refused = [push(server, 'gone'), push(server, 'there', 'gone key')].map((one) =>
      one.catch((error: unknown) => error),
    );
    await expect.poll(() => asked).toBeGreaterThan(1);
    // Each is answered while those of the other node are tried again and again.
    for (let n = 0; n < 10; n++) expect(await push(server, 'there')).toMatchObject({ accepted: 1 });
    expect(await push(server, 'there', 'key')).toMatchObject({ duplicate: false });
    for (const answer of await Promise.all(refused)) expect(answer).toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    expect(server.ingestion.status().writer).toMatchObject({ pending: 2, storeFailure: 'the node is away' });
    expect(await world.valuesOf(manifest, 'there')).toMatchObject({ rows: 12n });
    expect(await world.valuesOf(manifest, 'gone')).toMatchObject({ rows: 1n });
    isAway = false;
    await expect
      .poll(() => server.ingestion.status().writer, { timeout: 10_000 })
      .toMatchObject({ pending: 0, storeFailure: null });
    expect(await push(server, 'there', 'gone key')).toMatchObject({ duplicate: true });
    expect(await world.valuesOf(manifest, 'there')).toMatchObject({ rows: 13n });
    expect(await world.valuesOf(manifest, 'gone')).toMatchObject({ rows: 2n });
  });

  it('pushes are refused once the memory is full, if what is away is a claim’s end and so the next cut', async () => {
    const memoryBytes = 20_000;
    const expireAway = writersOf(({ expire }) => ({
      expire: async (...given) => {
        if (isAway) throw new HeadraceError('HR_ONLINE_UNAVAILABLE', 'it is away');
        await expire(...given);
      },
    }));
    const server = await open({ between: expireAway, limits: { memoryBytes, timeoutMs: 500 } });
    await push(server, 'a', 'key');
    isAway = true;
    await world.ask(manifest);
    await server.ingestion.look();
    let taken = 0;
    let refused: unknown;
    while (refused === undefined && taken < 500)
      refused = await push(server, `name ${taken}`).then(
        () => void taken++,
        (error: unknown) => error,
      );
    expect(refused).toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    expect(taken).toBeGreaterThan(5);
    const bytes = () => server.ingestion.status().writer?.partBytes;
    // The cut that is full and cannot be sealed, and the one after it.
    expect(bytes()).toBeLessThan(3 * memoryBytes);
    isAway = false;
    const again = () => push(server, 'a').catch((error: unknown) => error);
    await expect.poll(again, { timeout: 10_000 }).toMatchObject({ accepted: 1 });
    await expect.poll(bytes).toBeLessThan(memoryBytes);
  });

  it('pushes are refused, and not logged, once as many wait as its memory is for', async () => {
    const server = await open({ limits: { memoryBytes: 10_240, timeoutMs: 500 } });
    await push(server, 'a');
    isAway = true;
    const isRefused = (key: string) =>
      expect(push(server, 'b', key)).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    await isRefused('first');
    await Promise.all(Array.from({ length: 40 }, (_, i) => isRefused(`key ${i}`)));
    const { pending = 0, storeFailure } = server.ingestion.status().writer ?? {};
    expect(storeFailure).toBe('it is away');
    expect(pending).toBeGreaterThan(15);
    expect(pending).toBeLessThan(25);
    isAway = false;
    await expect.poll(() => server.ingestion.status().writer?.pending).toBe(0);
    // Exactly those that were logged count.
    expect(await world.valuesOf(manifest, 'b')).toMatchObject({ rows: BigInt(pending) });
    expect(await push(server, 'c', 'new')).toMatchObject({ accepted: 1 });
  });
});

if (!hasRedis()) skipBecause('what a lost Redis gets back: there is no redis-server on this machine');
const { version } = createViewCodec(manifest, 'v');
const eventOf = (k: string, minutesAgo: number, x: number) => ({
  k,
  happened: formatTimestamp(NOW - minutesAgo * MICROS_PER_MINUTE),
  x,
});
describe.skipIf(!hasRedis())('after Redis lost everything', () => {
  const world = eachWorld(() => openIngestionWorld(redisWith({})));
  let server: PushProcess;
  beforeEach(async () => {
    // It keeps nothing on disk: whenever it restarts it is empty.
    server = await world.open({ definitions: () => definitions, settleEveryMs: 0 });
  });
  const push = (rows: unknown, key?: string, by = server) => by.ingestion.push('events', rows, key);
  const valuesOf = (key: string) => world.valuesOf(manifest, key).catch(() => ({}));
  const comesBack = (key: string, values: object) =>
    expect.poll(() => valuesOf(key), { timeout: 10_000, interval: 20 }).toMatchObject(values);
  const isAnswered = (rows: unknown, key: string, by = server) =>
    expect.poll(() => push(rows, key, by).catch((error: unknown) => error), { timeout: 10_000, interval: 50 });
  const restart = async (): Promise<void> => {
    await world.place.server?.kill();
    await world.place.server?.start();
  };
  /** A cut that is sealed and shipped. */
  const cut = async (): Promise<void> => {
    const run = await world.ask(manifest);
    await server.ingestion.look();
    await expect.poll(async () => (await world.runs.answers(run.number)).size).toBe(1);
  };

  it('parts in memory, parts of sealed cuts, and the answers of both come back', async () => {
    const sealed = await push([eventOf('a', 5, 1)], 'sealed');
    await push([eventOf('b', 5, 1)]);
    await cut();
    const open = await push([eventOf('a', 4, 2), eventOf('c', 4, 7)], 'open');
    await restart();
    await comesBack('a', { rows: 2n, last_x: 2 });
    await comesBack('b', { rows: 1n });
    await comesBack('c', { rows: 1n, last_x: 7 });
    // Everything that was asked with a key is answered as before, and counts once.
    const elsewhere = await world.open({ definitions: () => definitions, machine: 'b' });
    const again = (rows: unknown, key: string) => isAnswered(rows, key, elsewhere);
    await again([eventOf('a', 5, 1)], 'sealed').toEqual({ ...sealed, duplicate: true });
    await again([eventOf('a', 4, 2), eventOf('c', 4, 7)], 'open').toEqual({ ...open, duplicate: true });
    expect(await valuesOf('a')).toMatchObject({ rows: 2n });
  });

  it('pushes that came while it was away are seen once it is back', async () => {
    await push([eventOf('a', 5, 1)]);
    await world.place.server?.kill();
    const early = push([eventOf('a', 4, 2)], 'k');
    const unkeyed = push([eventOf('a', 3, 3)]);
    await expect.poll(() => server.ingestion.status().writer?.storeFailure).toBeTruthy();
    await world.place.server?.start();
    expect(await early).toMatchObject({ accepted: 1, duplicate: false });
    expect(await unkeyed).toMatchObject({ accepted: 1 });
    await comesBack('a', { rows: 3n, last_x: 3 });
    await expect.poll(() => server.ingestion.status().writer?.storeFailure).toBeNull();
  });

  it('a push is told 503 when it takes too long, and still counts once', async () => {
    const hasty = await world.open({ definitions: () => definitions, machine: 'b', limits: { timeoutMs: 100 } });
    await push([eventOf('a', 5, 1)], undefined, hasty);
    await world.place.server?.kill();
    await expect(push([eventOf('a', 4, 2)], 'k', hasty)).rejects.toMatchObject({
      code: 'HR_ONLINE_UNAVAILABLE',
      message: expect.stringContaining('will count once'),
    });
    await world.place.server?.start();
    await comesBack('a', { rows: 2n });
    await isAnswered([eventOf('a', 4, 2)], 'k', hasty).toMatchObject({ accepted: 1, duplicate: true });
    await comesBack('a', { rows: 2n });
  });

  it('the parts of a dead writer come back from whoever settled it', async () => {
    const dead = await world.open({ definitions: () => definitions });
    const first = await push([eventOf('dead', 5, 1)], 'k', dead);
    await push([eventOf('dead', 4, 2)], undefined, dead);
    await dead.drop();
    expect(await server.ingestion.settle()).toBe(1);
    await restart();
    await comesBack('dead', { rows: 2n, last_x: 2 });
    await isAnswered([eventOf('dead', 5, 1)], 'k').toEqual({ ...first, duplicate: true });
    expect(await valuesOf('dead')).toMatchObject({ rows: 2n });
  });

  it('the parts of a dead writer come back while it is being settled, before its cut is sealed', async () => {
    const dead = await world.open({ definitions: () => definitions });
    await push([eventOf('dead', 5, 1)], 'k', dead);
    await dead.drop();
    const [written, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const settler = await world.open({
      definitions: () => definitions,
      between: writersOf((writer) => ({
        async finish(claims) {
          written.resolve();
          await held.promise;
          await writer.finish(claims);
        },
      })),
    });
    const settled = settler.ingestion.settle();
    await written.promise;
    await restart();
    await comesBack('dead', { rows: 1n });
    held.resolve();
    expect(await settled).toBe(1);
    expect(await valuesOf('dead')).toMatchObject({ rows: 1n });
  });

  it('parts that the node’s mark covers are not written again', async () => {
    await push([eventOf('a', 5, 1)]);
    await cut();
    await push([eventOf('a', 4, 2)]);
    const asked = await world.ask(manifest);
    const coverage = { floor: 1, cuts: new Map([[1, 1]]) };
    await world.runs.open(asked, { snapshot: [], boundary: -Infinity, coverage, isFull: true, since: 0 });
    await restart();
    await comesBack('a', { rows: 2n });
    // The next run has its mark there: what it covers came back as bases.
    const run = await world.store.run({
      version,
      run: asked.number,
      entity: 'thing',
      lifetimeMs: () => undefined,
      isOpen: async () => true,
    });
    for (const node of run.nodes) {
      await run.begin(node);
      await run.mark(node);
    }
    await run.close();
    await world.place.server?.command(`DEL hr:{test:e:${Buffer.from(keyOf('a')).toString('base64url')}}`);
    await world.place.server?.command('CLIENT KILL TYPE normal SKIPME yes');
    await comesBack('a', { rows: 1n, last_x: 2 });
    const [record] = await world.store.read([{ entity: 'e', key: keyOf('a'), version }]);
    expect(record?.parts.map(({ cut }) => cut)).toEqual([2]);
  });
});
