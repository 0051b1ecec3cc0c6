// A writer whose row the registry has lost with its last commits gets it again with all that was shipped of its log, or not at all.

import { expect, it, onTestFinished } from 'vitest';
import type { EventLog } from '../../src/events/index.ts';
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
