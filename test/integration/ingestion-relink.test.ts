// A store that loses what it had: the writers' parts come back by themselves on the next connection, with the answers
// under their keys, from memory and from the log.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE } from '../../src/core/index.ts';
import { createViewCodec } from '../../src/online/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, keyOf, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('what a lost Redis gets back: there is no redis-server on this machine');

const definitions = eventDefinitions();
const { manifest } = definitions;
const { version } = createViewCodec(manifest, 'v');
const event = (k: string, minutesAgo: number, x: number) => ({
  k,
  happened: formatTimestamp(NOW - minutesAgo * MICROS_PER_MINUTE),
  x,
});
/** Keeps nothing on disk: whenever it restarts it is empty. */
const forgetful = {
  async prepare() {
    const server = await startRedis();
    return {
      url: server.url,
      server,
      async open() {
        const { openRedisStore } = await import('../../src/online/redis/redis-store.ts');
        return openRedisStore(server.url, { project: 'test' });
      },
      remove: () => server.stop(),
    };
  },
};

describe.skipIf(!hasRedis())('after Redis lost everything', () => {
  let world: IngestionWorld;
  let server: PushProcess;
  beforeEach(async () => {
    world = await openIngestionWorld(forgetful);
    server = await world.open({ definitions: () => definitions, settleEveryMs: 0 });
  });
  afterEach(() => world.close());
  const push = (rows: unknown, key?: string, by = server) => by.ingestion.push('events', rows, key);
  const valuesOf = (key: string) => world.valuesOf(manifest, key).catch(() => ({}));
  const comesBack = (key: string, values: object) =>
    expect.poll(() => valuesOf(key), { timeout: 10_000, interval: 20 }).toMatchObject(values);
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

  it.each([
    ['a restart that finds nothing', restart],
    [
      'FLUSHALL and a restart',
      async () => {
        await world.place.server?.command('FLUSHALL');
        await restart();
      },
    ],
  ])('%s: parts in memory, parts of sealed cuts, and the answers of both come back', async (_, lose) => {
    const sealed = await push([event('a', 5, 1)], 'sealed');
    await push([event('b', 5, 1)]);
    await cut();
    const open = await push([event('a', 4, 2), event('c', 4, 7)], 'open');
    await lose();
    await comesBack('a', { rows: 2n, last_x: 2 });
    await comesBack('b', { rows: 1n });
    await comesBack('c', { rows: 1n, last_x: 7 });
    // Everything that was asked with a key is answered as before, and counts once.
    const elsewhere = await world.open({ definitions: () => definitions, machine: 'b' });
    const again = (rows: unknown, key: string) =>
      expect.poll(() => push(rows, key, elsewhere).catch((error: unknown) => error), { timeout: 10_000, interval: 50 });
    await again([event('a', 5, 1)], 'sealed').toEqual({ ...sealed, duplicate: true });
    await again([event('a', 4, 2), event('c', 4, 7)], 'open').toEqual({ ...open, duplicate: true });
    expect(await valuesOf('a')).toMatchObject({ rows: 2n });
  });

  it('pushes that came while it was away are seen once it is back', async () => {
    await push([event('a', 5, 1)]);
    await world.place.server?.kill();
    const early = push([event('a', 4, 2)], 'k');
    const unkeyed = push([event('a', 3, 3)]);
    await expect.poll(() => server.ingestion.status().writer?.storeFailure).toBeTruthy();
    await world.place.server?.start();
    expect(await early).toMatchObject({ accepted: 1, duplicate: false });
    expect(await unkeyed).toMatchObject({ accepted: 1 });
    await comesBack('a', { rows: 3n, last_x: 3 });
    await expect.poll(() => server.ingestion.status().writer?.storeFailure).toBeNull();
  });

  it('a push is told 503 when it takes too long, and still counts once', async () => {
    const hasty = await world.open({ definitions: () => definitions, machine: 'b', limits: { timeoutMs: 100 } });
    await push([event('a', 5, 1)], undefined, hasty);
    await world.place.server?.kill();
    await expect(push([event('a', 4, 2)], 'k', hasty)).rejects.toMatchObject({
      code: 'HR_ONLINE_UNAVAILABLE',
      message: expect.stringContaining('will count once'),
    });
    await world.place.server?.start();
    await comesBack('a', { rows: 2n });
    await expect
      .poll(() => push([event('a', 4, 2)], 'k', hasty).catch((error: unknown) => error))
      .toMatchObject({ accepted: 1, duplicate: true });
    await comesBack('a', { rows: 2n });
  });

  it('the parts of a dead writer come back from whoever settled it', async () => {
    const dead = await world.open({ definitions: () => definitions });
    const first = await push([event('dead', 5, 1)], 'k', dead);
    await push([event('dead', 4, 2)], undefined, dead);
    await dead.drop();
    expect(await server.ingestion.settle()).toBe(1);
    await restart();
    await comesBack('dead', { rows: 2n, last_x: 2 });
    await expect
      .poll(() => push([event('dead', 5, 1)], 'k').catch((error: unknown) => error))
      .toEqual({ ...first, duplicate: true });
    expect(await valuesOf('dead')).toMatchObject({ rows: 2n });
  });

  it('the parts of a dead writer come back while it is being settled, before its cut is sealed', async () => {
    const dead = await world.open({ definitions: () => definitions });
    await push([event('dead', 5, 1)], 'k', dead);
    await dead.drop();
    let isWritten = false;
    let goOn = (): void => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const settler = await world.open({
      definitions: () => definitions,
      between: (store) => ({
        ...store,
        async writer(link) {
          const writer = await store.writer(link);
          return {
            ...writer,
            async finish(claims) {
              isWritten = true;
              await held;
              await writer.finish(claims);
            },
          };
        },
      }),
    });
    const settled = settler.ingestion.settle();
    await expect.poll(() => isWritten).toBe(true);
    await restart();
    await comesBack('dead', { rows: 1n });
    goOn();
    expect(await settled).toBe(1);
    expect(await valuesOf('dead')).toMatchObject({ rows: 1n });
  });

  it('parts that the node’s mark covers are not written again', async () => {
    await push([event('a', 5, 1)]);
    await cut();
    await push([event('a', 4, 2)]);
    const { number } = await world.ask(manifest);
    const coverage = { floor: 1, cuts: new Map([[1, 1]]) };
    await world.runs.open(number, { boundary: -Infinity, coverage, isFull: true, since: 0 });
    await restart();
    await comesBack('a', { rows: 2n });
    // The next run has its mark there: what it covers came back as bases.
    const run = await world.store.run({ version, run: number, lifetimeMs: () => undefined, isOpen: async () => true });
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
