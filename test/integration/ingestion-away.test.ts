// A store that stays away: nobody waits for it without end, and nothing piles up without bound.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, HeadraceError, MICROS_PER_MINUTE, sha256Hex } from '../../src/core/index.ts';
import type { OnlineStore, StoreWriter } from '../../src/online/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, keyOf, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;
const event = (k: string) => ({ k, happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: 1 });
const [kind] = onlineStoreKinds();

describe.skipIf(kind === undefined)('while the store is away', () => {
  let world: IngestionWorld;
  let isAway = false;
  beforeEach(async () => {
    isAway = false;
    world = await openIngestionWorld(kind as NonNullable<typeof kind>);
  });
  afterEach(() => world.close());
  const push = ({ ingestion }: PushProcess, k: string, key?: string) => ingestion.push('events', [event(k)], key);

  const unlessAway =
    <A, R>(work: (given: A) => Promise<R>) =>
    (given: A): Promise<R> =>
      isAway ? Promise.reject(new HeadraceError('HR_ONLINE_UNAVAILABLE', 'it is away')) : work(given);
  const between = (store: OnlineStore): OnlineStore => ({
    ...store,
    async writer(link): Promise<StoreWriter> {
      const writer = await store.writer(link);
      const { putParts, claim, finish } = writer;
      return { ...writer, putParts: unlessAway(putParts), claim: unlessAway(claim), finish: unlessAway(finish) };
    },
  });
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
    const nodes = (store: OnlineStore): OnlineStore => ({
      ...store,
      async writer(link): Promise<StoreWriter> {
        const writer = await store.writer(link);
        const isOf = ({ entity, key }: { entity: string; key: Uint8Array }) => nodeOf(entity, key) === 'gone';
        const isOfClaim = ({ id }: { id: string }) => onGone(id);
        return {
          ...writer,
          nodeOf,
          nodeOfClaim: (id) => (onGone(id) ? 'gone' : 'there'),
          putParts: ofNode(isOf, writer.putParts) as StoreWriter['putParts'],
          claim: ofNode(isOfClaim, writer.claim) as StoreWriter['claim'],
          finish: ofNode(isOfClaim, writer.finish) as StoreWriter['finish'],
        };
      },
    });
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
