// Several processes on one embedded store: what one reads while another writes, and what is left when one is killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import type { OnlineStore } from '../../src/online/online-store.ts';
import { forEver, keyOf, partOf, refOf } from '../support/lmdb-records.ts';

let path: string;
let children: ChildProcess[] = [];
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(path, { recursive: true, force: true });
});

const openStore = (checkpointMs = 500): OnlineStore =>
  openLmdbStore({ path, project: 'test', clock: systemClock, checkpointMs });

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
  await store.close();
});

it('keeps what was acknowledged, and can be read and written, when a process is killed in the middle of writes', async () => {
  const keeper = openStore();
  const writer = await keeper.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
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
        for (const bytes of [part.fold, record.base ?? Buffer.from('no base')]) {
          expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
        }
      }
      expect(count).toBe(50);
    }
    await writer.putParts([partOf('mine', Buffer.from(String(times)), { writer: 2, n: times + 1 })]);
    const [mine] = await fresh.read([refOf('mine')]);
    expect(Buffer.from(mine?.parts[0]?.fold ?? []).toString()).toBe(String(times));
    // Starts again below the numbers that the killed process wrote: those parts would stay.
    const clear = await keeper.run({ version: 'v@1', run: 1, lifetimeMs: forEver, isOpen: async () => true });
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
    await fresh.close();
  }
  await writer.close();
  await keeper.close();
});

it('loses no write while other processes open the store', async () => {
  const store = openStore(50);
  const writer = await store.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
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
  await writer.close();
  await store.close();
});

it('gives each claim to one of those who ask at once', async () => {
  const stores = [openStore(), openStore(), openStore()];
  const writers = await Promise.all(
    stores.map((store, index) => store.writer({ writer: index, holder: 1, lifetimeMs: forEver, onNode() {} })),
  );
  const ids = Array.from({ length: 50 }, (_, index) => `id${index}`);
  const answers = await Promise.all(
    ids.flatMap((id) =>
      writers.map(async (writer, index) => {
        const [holder] = await writer.claim([{ id, writer: index, offset: 1, payloadHash: 'h' }]);
        return { id, holder: holder?.writer };
      }),
    ),
  );
  for (const id of ids) {
    expect(new Set(answers.filter((answer) => answer.id === id).map(({ holder }) => holder)).size).toBe(1);
  }
  for (const writer of writers) await writer.close();
  for (const store of stores) await store.close();
});

it('goes on while a process is stopped that has just marked its run', async () => {
  const store = openStore();
  const writer = await store.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
  const other = churn('marks');
  for (let round = 1; round <= 5; round++) {
    await other.reach(round);
    await other.stopped();
    await writer.claim([{ id: `mine ${round}`, writer: 2, offset: round, payloadHash: 'h' }]);
    other.wake();
  }
  await writer.close();
  await other.kill();
  await store.close();
});

it('does not grow for ever while another process that once wrote is idle', async () => {
  const idle = openStore(20);
  const idleWriter = await idle.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
  await idleWriter.putParts([partOf('idle', Buffer.alloc(10), { writer: 2 })]);
  const busy = openStore(20);
  const writer = await busy.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
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
  for (const one of [writer, idleWriter]) await one.close();
  for (const store of [idle, busy]) await store.close();
});
