// A writer whose row the registry has lost with its last commits gets it again with all that was shipped of its log, or not at all.

import { describe, expect, it, onTestFinished } from 'vitest';
import type { EventLog, LogWriter } from '../../src/events/index.ts';
import type { ObjectStore } from '../../src/storage/index.ts';
import { eventLogWorld, numberRow, numbersOf } from '../support/event-logs.ts';
import { numbersSource as source } from '../support/numbers-source.ts';

interface Tables {
  event_writers: object;
  event_cuts: object;
  event_segments: object;
}

it('gets it while the object store answers: after one that did not, all of the log is read', async () => {
  const world = await eventLogWorld();
  onTestFinished(() => world.remove());
  let isAway = false;
  const get: ObjectStore['get'] = async (key) => {
    if (isAway) throw new Error('the object store is away');
    return world.objects.get(key);
  };
  const log = await world.open({ objects: { ...world.objects, get } });
  const writer = await log.register();
  const view = new Map([['v@1', [-Infinity]]]);
  for (const [cut, n] of [1, 2].entries()) {
    await writer.openCut(view);
    await writer.append({ source, rows: [numberRow(n)] });
    if (cut > 0) await writer.seal(cut, []);
    await writer.ship();
  }
  const read = async (from: EventLog) => numbersOf(await Array.fromAsync(from.read(1, 1, 1)));
  expect(await read(log)).toEqual([1]);

  for (const table of ['event_segments', 'event_cuts', 'event_writers'] as const)
    await world.database.tables<Tables>().deleteFrom(table).execute();
  isAway = true;
  await writer.touch();
  expect(world.said.filter(({ level }) => level === 'warn')).toHaveLength(1);
  expect(await log.writers()).toEqual([]);
  isAway = false;
  await writer.touch();
  expect(await read(log)).toEqual([1]);
});

describe('a log whose number another writer has', () => {
  const view = new Map([['v@1', [-Infinity]]]);

  /** Two machines, of which the first has a log with an entry in each of so many cuts; the last may stay open. */
  const twoMachines = async ({ cuts, isOpen }: { readonly cuts: number; readonly isOpen: boolean }) => {
    const world = await eventLogWorld();
    onTestFinished(() => world.remove());
    const [here, there] = [await world.open(), await world.open({ path: `${world.path}-there` })];
    const writer = await here.register();
    for (let cut = 1; cut <= cuts; cut++) {
      await writer.openCut(view);
      await writer.append({ source, rows: [numberRow(cut)] });
      if (cut < cuts || !isOpen) await writer.seal(cut, []);
    }
    return { world, here, there, writer };
  };
  const entriesOf = async (log: LogWriter) => numbersOf(await Array.fromAsync(log.entries(1, Infinity)));

  it.each([false, true])(
    'gets a new one with all that was shipped of it; more of it is on disk: %s',
    async (isOpen) => {
      const { world, here, there, writer } = await twoMachines({ cuts: 3, isOpen });
      await writer.ship();
      for (const table of ['event_segments', 'event_cuts', 'event_writers'] as const)
        await world.database.tables<Tables>().deleteFrom(table).execute();
      const other = await there.register();
      expect(other.writer).toBe(1);
      await writer.close();
      const [adopted, ...others] = await here.adopt();
      expect([adopted?.writer, adopted?.formerly, adopted?.token, others]).toEqual([2, 1, writer.token, []]);
      expect(await entriesOf(adopted as LogWriter)).toEqual([1, 2, 3]);
      if (isOpen) await adopted?.seal(3, []);
      await adopted?.ship();
      await adopted?.close();
      expect(numbersOf(await Array.fromAsync(there.read(2, 1, 3)))).toEqual([1, 2, 3]);
      // Whoever comes next finds it under its new number, and knows the former.
      expect((await here.adopt()).map(({ writer: number, formerly }) => [number, formerly])).toEqual([[2, 1]]);
    },
  );

  it.each([
    [1, true, true],
    [2, false, false],
  ] as const)(
    'is given a new one on request, unless something of it is shipped: %i cuts',
    async (cuts, isOpen, gets) => {
      const { here, writer } = await twoMachines({ cuts, isOpen });
      await writer.ship();
      await writer.close();
      expect(await here.renumber({ ...writer, holder: 9 })).toBe(false);
      expect(await here.renumber(writer)).toBe(gets);
      const [adopted] = await here.adopt();
      expect([adopted?.writer, adopted?.formerly]).toEqual(gets ? [2, 1] : [1, undefined]);
      // Another has the number of before, and its row is not there yet.
      const numbers = (await here.writers()).map(({ number, state }) => [number, state]);
      expect(numbers).toEqual(
        gets
          ? [
              [1, 'open'],
              [2, 'open'],
            ]
          : [[1, 'open']],
      );
      expect(await entriesOf(adopted as LogWriter)).toEqual([1, 2].slice(0, cuts));
    },
  );
});
