// Several processes on one embedded store: what one reads while another writes, what is left when one is killed, and who waits for
// whom to open it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import { openAlone } from '../../src/online/lmdb/opening-lock.ts';
import type { OnlineStore, StoreWriter } from '../../src/online/online-store.ts';
import { forEver, keyOf, partOf, refOf } from '../support/lmdb-records.ts';

let path: string;
let children: ChildProcess[] = [];
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const one of closers.splice(0)) await one.close();
  rmSync(path, { recursive: true, force: true });
});

const closers: { close(): Promise<void> }[] = [];
/** Closed when the test ends, the last first. */
const closing = <T extends { close(): Promise<void> }>(one: T): T => {
  closers.unshift(one);
  return one;
};
const openWriter = async (store: OnlineStore, writer = 2): Promise<StoreWriter> =>
  closing(await store.writer({ writer, holder: 1, lifetimeMs: forEver, onNode() {} }));
const openStore = (checkpointMs = 500): OnlineStore =>
  closing(openLmdbStore({ path, project: 'test', clock: systemClock, checkpointMs }));

/** Starts a process that churns, and gives the last round that it acknowledged. */
function churn(kind: 'pushes' | 'overlap' | 'marks' | 'opens') {
  const script = fileURLToPath(new URL('../support/churn-lmdb.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path, kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let rest = '';
  let round = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    round = Number(lines.at(-1) ?? round);
  });
  return {
    round: () => round,
    async reach(goal: number) {
      while (round < goal) await once(child.stdout, 'data');
    },
    async stopped() {
      const state = () => readFileSync(`/proc/${child.pid}/stat`, 'utf8');
      await expect.poll(state, { timeout: 10_000, interval: 1 }).toContain(') T ');
    },
    wake: () => child.kill('SIGCONT'),
    async kill() {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
  };
}

it('reads base and parts of one moment, whatever another process does between', async () => {
  const store = openStore();
  const other = churn('overlap');
  await other.reach(20);
  const seen = new Set<number>();
  const refs = [refOf('one')];
  while (seen.size < 100) {
    for (let i = 0; i < 50; i++) {
      const [record] = (await store.read(refs)) as Awaited<ReturnType<OnlineStore['read']>>;
      const base = Number(Buffer.from(record?.base ?? []).toString());
      seen.add(base);
      const cuts = record?.parts.map(({ cut }) => cut) ?? [];
      // The part that the base counts goes with it, and the next one came before it.
      expect(cuts[0]).toBe(base + 1);
      expect(cuts.length).toBeLessThanOrEqual(2);
    }
    await new Promise(setImmediate);
  }
});

it('keeps what was acknowledged, and can be read and written, when a process is killed in the middle of writes', async () => {
  const keeper = openStore();
  const writer = await openWriter(keeper);
  const sizeOf = (round: number) => 10 + ((round * 37) % 4000);
  for (let times = 0; times < 6; times++) {
    const other = churn('pushes');
    // In another place of its round each time.
    await other.reach(3 + times * 2);
    for (let turn = 0; turn < times * 40; turn++) await new Promise(setImmediate);
    await other.kill();
    const killed = other.round();
    // A process that was open all the while, and one that opens it now.
    const fresh = openStore();
    for (const store of [keeper, fresh]) {
      let count = 0;
      for await (const { record } of store.scan('thing', 'v@1')) {
        const [part] = record.parts;
        if (part?.writer !== 1) continue;
        count++;
        // The acknowledged round, or the next one, which was killed before it told.
        expect([sizeOf(killed), sizeOf(killed + 1)]).toContain(part.fold.length);
        for (const bytes of [part.fold, record.base ?? Buffer.from('no base')])
          expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
      }
      expect(count).toBe(50);
    }
    await writer.putParts([partOf('mine', Buffer.from(String(times)), { writer: 2, n: times + 1 })]);
    const [mine] = await fresh.read([refOf('mine')]);
    expect(Buffer.from(mine?.parts[0]?.fold ?? []).toString()).toBe(String(times));
    // Starts again below the numbers that the killed process wrote: those parts would stay.
    const clear = await keeper.run({
      version: 'v@1',
      run: 1,
      entity: 'thing',
      lifetimeMs: forEver,
      isOpen: async () => true,
    });
    await clear.begin('lmdb');
    const counted = [{ writer: 1, cut: 1, boundary: -Infinity }];
    await clear.write(
      'lmdb',
      Array.from({ length: 50 }, (_, i) => ({
        entity: 'thing',
        key: keyOf(`key${i}`),
        base: Buffer.alloc(1),
        counted,
      })),
    );
    await clear.close();
  }
});

it('loses no write while other processes open the store', async () => {
  const store = openStore(50);
  const writer = await openWriter(store);
  const others = [churn('opens'), churn('opens'), churn('opens')];
  await Promise.all(others.map((other) => other.reach(1)));
  const lost: string[] = [];
  // Claims are kept by commits that take several turns.
  let isOver = false;
  const claim = async (by: number): Promise<void> => {
    for (let n = 1; !isOver; n++) await writer.claim([{ id: `${by} ${n}`, writer: 2, offset: n, payloadHash: 'h' }]);
  };
  const claims = Promise.all([claim(1), claim(2), claim(3)]);
  for (let n = 1; n < 200 || others.some((other) => other.round() <= 3); n++) {
    const name = `key${n % 20}`;
    await writer.putParts([partOf(name, Buffer.from(String(n)), { writer: 2, n })]);
    // Each as it was written last.
    const refs = Array.from({ length: 20 }, (_, i) => refOf(`key${i}`));
    const found = await store.read(refs);
    for (const [i, record] of found.entries()) {
      const last = n - ((n - i + 20) % 20);
      const kept = Buffer.from(record?.parts[0]?.fold ?? []).toString();
      if (last > 0 && kept !== String(last)) lost.push(`key${i} has ${kept}, not ${last}`);
    }
    if (lost.length > 0) break;
    await new Promise(setImmediate);
  }
  isOver = true;
  await claims;
  expect(lost).toEqual([]);
});

it('goes on while a process is stopped that has just marked its run', async () => {
  const store = openStore();
  const writer = await openWriter(store);
  const other = churn('marks');
  for (let round = 1; round <= 5; round++) {
    await other.reach(round);
    await other.stopped();
    await writer.claim([{ id: `mine ${round}`, writer: 2, offset: round, payloadHash: 'h' }]);
    other.wake();
  }
  await other.kill();
});

it('does not grow for ever while another process that once wrote is idle', async () => {
  const idle = openStore(20);
  const idleWriter = await openWriter(idle);
  await idleWriter.putParts([partOf('idle', Buffer.alloc(10), { writer: 2 })]);
  const busy = openStore(20);
  const writer = await openWriter(busy, 1);
  const size = () => statSync(join(path, 'records', 'data.mdb')).size;
  let n = 0;
  let written = 0;
  // Pages that were never used again would make the file larger than all that was written.
  for (let round = 1; round <= 3000 && written < 5 * size(); round++) {
    await writer.putParts(Array.from({ length: 100 }, (_, i) => partOf(`k${i}`, Buffer.alloc(3000, n), { n: ++n })));
    await writer.claim([{ id: String(round), writer: 1, offset: round, payloadHash: 'h' }]);
    written += 100 * 3000;
  }
  expect(written).toBeGreaterThanOrEqual(5 * size());
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-opening-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function hold(how: 'commits' | 'alone') {
  const script = fileURLToPath(new URL('../support/hold-opening-lock.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder, how], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return {
    async kill() {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
  };
}

const openNow = () => openAlone(folder, () => 'opened', 300);

it('opens only once those that commit are through, and says so where they never are', async () => {
  const holder = await hold('commits');
  expect(openNow).toThrow(
    expect.objectContaining({ code: 'HR_ONLINE_UNAVAILABLE', message: expect.stringContaining('does not go on') }),
  );
  await holder.kill();
  const { opened, lock } = openNow();
  expect(opened).toBe('opened');
  await lock.close();
});

it('commits only while nobody opens', async () => {
  const { lock } = openNow();
  await hold('alone');
  const isLetGo = () => existsSync(join(folder, 'let-go'));
  // It asks at once, and again later.
  const many = lock.commits(async () => isLetGo());
  expect(lock.commit(isLetGo)).toBe(true);
  expect(await many).toBe(true);
  await lock.close();
});

it('opens where a power loss left the gate without its pages', async () => {
  await openNow().lock.close();
  const gate = join(folder, 'gate', 'data.mdb');
  writeFileSync(gate, Buffer.alloc(statSync(gate).size));
  const { opened, lock } = openNow();
  expect([opened, lock.commit(() => 'done')]).toEqual(['opened', 'done']);
  await lock.close();
});

it('gives who opens a turn though commits follow each other without a gap', async () => {
  const { lock } = openNow();
  let isOver = false;
  const commits = async (): Promise<void> => {
    while (!isOver) await lock.commits(() => delay(5));
  };
  const all = Promise.all([commits(), delay(2).then(commits), delay(4).then(commits)]);
  await hold('alone');
  isOver = true;
  await all;
  await lock.close();
});

it('opens a second time within a process that is in the middle of a commit', async () => {
  const first = openNow();
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const under = first.lock.commits(() => {
    begun.resolve();
    return end.promise;
  });
  await begun.promise;
  const second = openNow();
  expect(second.opened).toBe('opened');
  end.resolve();
  await under;
  for (const { lock } of [first, second]) await lock.close();
});
