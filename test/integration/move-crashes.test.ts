// A server that dies at any step while it moves what it took to a new number, because another writer has its number: whoever
// comes next finds every acknowledged event once.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_MINUTE } from '../../src/core/index.ts';
import type { LogWriter } from '../../src/events/index.ts';
import type { IngestionDeps } from '../../src/ingestion/index.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import { type Crash, createCrash } from '../support/fault-points.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { loseWriter } from '../support/lost-writer.ts';
import { countedInLogs, countedOnline, definitions, numberedEvent, recordOf } from '../support/numbered-events.ts';
import { keepLinks } from '../support/kept-links.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { isFull } from '../support/tier.ts';

const event = (n: number) => numberedEvent(n, NOW - MICROS_PER_MINUTE);

/** Has a server push without a look at what the store has seen, as where its nodes lost that. */
const unseen = (store: OnlineStore): OnlineStore => ({
  ...store,
  notes: async () => ({ registries: [], writer: 0, run: 0 }),
  writer: ({ writer, holder, lifetimeMs, onNode }) => store.writer({ writer, holder, lifetimeMs, onNode }),
});

const watched =
  ({ watch }: Crash) =>
  (deps: IngestionDeps): IngestionDeps => ({
    ...deps,
    log: watch(deps.log, 'log', {
      // What `register` gives.
      give: (method, result) => (method === 'register' ? watch(result as LogWriter, 'own') : result),
    }),
    store: watch(deps.store, 'store', {
      point: (method) => (method === 'nowMicros' ? undefined : `store.${method}`),
      give: (method, result) => (method === 'writer' ? watch(result as object, 'writer') : result),
    }),
  });

describe.each(onlineStoreKinds())('a server that moves its pushes to another number and dies, on $name,', (kind) => {
  let world: IngestionWorld;
  /** Pushes of those that died, until their patience ends. */
  const pending: Promise<unknown>[] = [];
  beforeEach(async () => void (world = await openIngestionWorld(kind)));
  const links = keepLinks();
  afterEach(async () => {
    await Promise.all(pending.splice(0));
    await links.close();
    await world.close();
  });

  const open = (machine: string, crash?: Crash): Promise<PushProcess> =>
    world.open({
      definitions: () => definitions,
      machine,
      between: (store) => unseen(links.keeping(store)),
      limits: { timeoutMs: 1000 },
      ...(crash && { around: watched(crash), closeLimit: () => (crash.hasCrashed ? 0 : 1000) }),
    });
  const push = ({ ingestion }: PushProcess, n: number, key?: string, k = recordOf(n)) =>
    ingestion.push('events', [{ ...event(n), k }], key);

  /** Two writers of number 1: the first has pushed, and the registry has lost its row; `by` dies while it moves. */
  const life = async (by: 'the second' | 'the first', crash: Crash): Promise<void> => {
    const first = await open('a', by === 'the first' ? crash : undefined);
    await push(first, 2, 'two');
    for (let n = 3; n < 9; n++) await push(first, n);
    // Under a greater number than the second one's part of the same record will have.
    await push(first, 1);
    await loseWriter(world.database, 1);
    const second = await open('b', by === 'the second' ? crash : undefined);
    await push(second, 11);
    await push(second, 12, 'twelve');
    await push(second, 13, 'thirteen');
    if (by === 'the second') {
      // Into the record of the first one's event: the store refuses it.
      const moving = push(second, 14, 'fourteen', recordOf(1)).catch(() => {});
      pending.push(moving);
      await Promise.race([moving.then(() => second.ingestion.look()), crash.crashed]).catch(() => {});
      if (!crash.hasCrashed) await Promise.race([second.ingestion.close(), crash.crashed]).catch(() => {});
      await second.drop();
      await first.ingestion.look();
    } else {
      await Promise.race([first.ingestion.look().then(() => first.ingestion.close()), crash.crashed]).catch(() => {});
      await first.drop();
    }
    for (const one of [first, second]) await one.close();
    for (const machine of ['a', 'b', 'a', 'b']) {
      const heir = await open(machine);
      await heir.ingestion.settle();
      await heir.close();
    }
  };

  const ACKNOWLEDGED = [1, 2, 11, 12, 13];
  const KEYS = new Map([
    [2, 'two'],
    [12, 'twelve'],
    [13, 'thirteen'],
  ]);

  /** A life with a crash at the step, and what comes after it: everything acknowledged counts once, and nothing twice. */
  const live = async (by: 'the second' | 'the first', step?: string): Promise<Crash> => {
    await world.close();
    world = await openIngestionWorld(kind);
    const crash = createCrash(step);
    await life(by, crash);
    const heir = await open('c');
    const logged = await countedInLogs(heir.log);
    expect(
      ACKNOWLEDGED.map((n) => logged.get(n)),
      step,
    ).toEqual(ACKNOWLEDGED.map(() => 1));
    // The push that was refused, which nobody acknowledged, is in the record of the first event.
    const refused = logged.get(14) ?? 0;
    expect(refused, step).toBeLessThan(2);
    expect(await countedOnline(world, ACKNOWLEDGED), step).toEqual([1 + refused, 1, 1, 1, 1]);
    for (const [n, key] of KEYS) expect(await push(heir, n, key), step).toMatchObject({ duplicate: true });
    const heirPushed = by === 'the second';
    if (heirPushed) await push(heir, 14, 'fourteen', recordOf(1));
    await heir.close();
    expect(await world.pushed.rows('events'), step).toBe(
      [...logged.values()].length + (heirPushed && !refused ? 1 : 0),
    );
    expect(await countedOnline(world, ACKNOWLEDGED), step).toEqual([by === 'the second' ? 2 : 1, 1, 1, 1, 1]);
    return crash;
  };

  it.each([
    ['the second, which the store refuses', 'the second', 'log.renumber 1'],
    ['the first, whose row another has', 'the first', 'writer.withdraw 1'],
  ] as const)('has each acknowledged event counted once: %s', { timeout: 300_000 }, async (_, by, step) => {
    const { steps } = await live(by);
    expect(steps).toContain(`after ${step}`);
    const from = steps.indexOf(by === 'the second' ? 'before own.append 4' : 'before own.touch 1');
    for (const one of steps.slice(from).filter((each) => isFull || each.startsWith('after '))) await live(by, one);
  });
});
