// Event logs of real processes on one folder: killed at any moment, stopped, in containers of their own.
// twin: test/integration/crash-steps.test.ts > a process that dies at any step
// twin: test/contract/event-log.test.ts > hands a log that was left to whoever adopts it

import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventLog, LogWriter } from '../../src/events/index.ts';
import type { ForeverPlaces } from '../support/event-log-forever.ts';
import { expectNothingLost, type LogChild, startLogChild } from '../support/event-log-child.ts';
import { type EventLogWorld, eventLogWorld, numbersOf } from '../support/event-logs.ts';
import { skipBecause } from '../support/skips.ts';

const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount-proc'];
const hasNamespaces = spawnSync('unshare', [...UNSHARE, 'true']).status === 0;
if (!hasNamespaces) skipBecause('event logs in pid namespaces of their own: unshare may make none here');

describe('processes on one folder of event logs', () => {
  let world: EventLogWorld;
  let log: EventLog;
  const children: LogChild[] = [];

  beforeEach(async () => {
    world = await eventLogWorld();
    log = await world.open({ segmentBytes: 4000 });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await child.kill();
    await world.remove();
  });

  const start = (mode: ForeverPlaces['mode'], wrapper: readonly string[] = []): LogChild => {
    const child = startLogChild(world, mode, { wrapper });
    children.push(child);
    return child;
  };
  const holding = async (wrapper?: readonly string[]): Promise<LogChild> => {
    const child = start('hold', wrapper);
    await child.until(() => child.said.entries.length > 0);
    return child;
  };

  it('lose no acknowledged entry to SIGKILL at any moment, and give none twice', () =>
    expectNothingLost(
      log,
      8,
      () => start('append'),
      () => log.adopt(),
    ));

  it('are left alone while they are stopped, and taken over once they are dead', async () => {
    const child = await holding();
    child.process.kill('SIGSTOP');
    expect(await log.adopt()).toEqual([]);
    await expect(log.forget(child.said.writer)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await child.kill();
    const [writer] = (await log.adopt()) as [LogWriter];
    expect(numbersOf(await Array.fromAsync(writer.entries(1, 1)))).toEqual([0]);
  });

  it.skipIf(!hasNamespaces)(
    'see each other live and die in pid namespaces, where their pids are the same',
    async () => {
      const wrapper = ['unshare', ...UNSHARE];
      const [first, second] = [await holding(wrapper), await holding(wrapper)];
      expect(await log.adopt()).toEqual([]);
      await first.kill();
      // The one in the namespace dies with it, a moment later.
      let adopted: LogWriter[] = [];
      while (adopted.length === 0) adopted = await log.adopt();
      expect(adopted.map(({ writer }) => writer)).toEqual([first.said.writer]);
      expect(await log.adopt()).toEqual([]);
      await second.kill();
    },
  );
});
