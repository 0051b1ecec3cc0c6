// How long the embedded store keeps a claim, through random histories of processes whose wall clocks say anything, of
// containers whose steady clocks start anywhere, and of machines that start again. The oracle is the time that passed.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import type { Claim, OnlineStore, StoreWriter } from '../../src/online/online-store.ts';
import { runs } from '../support/tier.ts';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
/** What a restart of the machine may add: how seldom the store keeps what has passed. */
const LOST_MICROS = 10 * SECOND;
const IDS = ['a', 'b', 'c'];
/** Of two clocks at the end. */
const TURNS = 10;

const which = fc.nat({ max: 5 });
const kind = <K extends string, M extends object>(
  weight: number,
  kind: K,
  more: { [N in keyof M]: fc.Arbitrary<M[N]> },
) => ({ weight, arbitrary: fc.record({ kind: fc.constant(kind), ...more }) as fc.Arbitrary<{ kind: K } & M> });
const step = fc.oneof(
  kind(3, 'claim', { process: which, id: which }),
  kind(3, 'expire', { process: which, id: which, retention: fc.integer({ min: 1, max: 10 * MINUTE }) }),
  kind(3, 'look', { process: which, id: which }),
  kind(4, 'pass', { micros: fc.integer({ min: 0, max: 6 * MINUTE }) }),
  kind(1, 'sweep', { process: which }),
  kind(2, 'set the wall clock', { process: which, to: fc.maxSafeNat() }),
  kind(1, 'open', { isApart: fc.boolean() }),
  kind(1, 'close', { process: which }),
  kind(1, 'restart', { startsAt: fc.nat({ max: 60 * MINUTE }) }),
);

/** An end that is set by one clock while another, silent since the claim, has counted more. */
const ANOTHER_CLOCKS_END: (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[] = [
  { kind: 'claim', process: 0, id: 1 },
  { kind: 'pass', micros: 2 * MINUTE },
  { kind: 'open', isApart: true },
  { kind: 'expire', process: 1, id: 1, retention: MINUTE },
];

interface Process {
  readonly store: OnlineStore;
  readonly writer: StoreWriter;
  wall: number;
}

interface Held {
  readonly claim: Claim;
  /** When it may end, by the time that really passes. */
  until: number;
}

it('is never shorter than its retention, and ends some time after it', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
    const path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    let passed = 0;
    let machine = 0;
    let machineStart = 0;
    let apart = 0;
    let processes: Process[] = [];
    const held = new Map<string, Held>();
    let offset = 0;

    const open = async (isApart: boolean): Promise<Process> => {
      if (isApart) apart++;
      const id = isApart ? `machine ${machine} apart ${apart}` : `machine ${machine}`;
      const start = isApart ? passed - apart * MINUTE : machineStart;
      const process = { wall: 0 } as { wall: number };
      const store = openLmdbStore({
        path,
        project: 'test',
        clock: { nowMicros: () => process.wall },
        // Within a machine they all go by one clock, but for containers of their own.
        steadyClock: { id, nowMicros: () => passed - start },
      });
      const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: () => undefined, onNode() {} });
      const opened = Object.assign(process, { store, writer });
      processes.push(opened);
      return opened;
    };
    const close = async ({ store, writer }: Process): Promise<void> => {
      await writer.close();
      await store.close();
    };
    const closeAll = async (): Promise<void> => {
      for (const one of processes) await close(one);
      processes = [];
    };
    const some = async (process: number): Promise<Process> =>
      processes[process % Math.max(1, processes.length)] ?? (await open(false));
    const idOf = (id: number): string => IDS[id % IDS.length] as string;
    /** What came of a look: gone only where it may be. */
    const check = (id: string, found: Claim | undefined): void => {
      const before = held.get(id);
      if (before === undefined || passed < before.until) expect(found).toEqual(before?.claim);
      else expect([undefined, before.claim]).toContainEqual(found);
    };

    try {
      for (const one of steps) {
        switch (one.kind) {
          case 'claim': {
            const { writer } = await some(one.process);
            const id = idOf(one.id);
            const own = { id, writer: 1, offset: ++offset, payloadHash: 'h' };
            const [holder] = await writer.claim([own]);
            if (holder?.offset !== own.offset) {
              check(id, holder);
              break;
            }
            check(id, undefined);
            held.set(id, { claim: own, until: Infinity });
            break;
          }
          case 'expire': {
            const { writer } = await some(one.process);
            const id = idOf(one.id);
            const before = held.get(id);
            if (before === undefined) break;
            await writer.expire([before.claim], one.retention / 1000);
            // Where it was over already it may have been gone.
            if (passed < before.until) before.until = passed + one.retention;
            break;
          }
          case 'look': {
            const id = idOf(one.id);
            check(id, (await (await some(one.process)).writer.claims([id]))[0]);
            break;
          }
          case 'pass':
            passed += one.micros;
            break;
          case 'sweep': {
            const { store, wall } = await some(one.process);
            await store.removeExpired(wall);
            break;
          }
          case 'set the wall clock':
            (await some(one.process)).wall = one.to;
            break;
          case 'open':
            await open(one.isApart);
            break;
          case 'close': {
            const closed = await some(one.process);
            processes = processes.filter((process) => process !== closed);
            await close(closed);
            break;
          }
          case 'restart':
            await closeAll();
            machine++;
            machineStart = passed - one.startsAt;
            break;
        }
      }
      const { writer, store } = await open(false);
      await store.removeExpired(0);
      for (const id of IDS) check(id, (await writer.claims([id]))[0]);
      // From here on two clocks that know nothing of each other take turns, often enough that the sweeps keep it.
      const both = [{ writer, store }, await open(true)];
      for (const one of both) await one.store.removeExpired(0);
      for (let turn = 0; turn < TURNS; turn++) {
        passed += (10 * MINUTE + LOST_MICROS) / TURNS;
        await both[turn % 2]?.store.removeExpired(0);
      }
      passed += 1;
      for (const one of both) {
        const left = await one.writer.claims(IDS);
        IDS.forEach((id, i) => {
          const before = held.get(id);
          expect(left[i]).toEqual(before?.until === Infinity ? before.claim : undefined);
        });
      }
    } finally {
      await closeAll();
      rmSync(path, { recursive: true, force: true });
    }
  });
  await fc.assert(property, { numRuns: runs(30), examples: [[ANOTHER_CLOCKS_END]] });
}, 60_000);
