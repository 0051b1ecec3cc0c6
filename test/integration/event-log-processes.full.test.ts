// Event logs of processes in containers of their own on one folder. That a kill or a stop loses nothing: several-machines.full.test.ts.
// twin: test/contract/event-log.test.ts > hands a log that was left to whoever adopts it, with the holder raised, and to one alone

import { spawnSync } from 'node:child_process';
import { expect, it, onTestFinished } from 'vitest';
import type { LogWriter } from '../../src/events/index.ts';
import { type LogChild, startLogChild } from '../support/event-log-child.ts';
import { eventLogWorld } from '../support/event-logs.ts';
import { skipBecause } from '../support/skips.ts';

const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount-proc'];
const hasNamespaces = spawnSync('unshare', [...UNSHARE, 'true']).status === 0;
if (!hasNamespaces) skipBecause('event logs in pid namespaces of their own: unshare may make none here');

it.skipIf(!hasNamespaces)(
  'processes see each other live, stop and die, also where their pids are the same',
  async () => {
    const world = await eventLogWorld();
    onTestFinished(() => world.remove());
    const log = await world.open({ segmentBytes: 4000 });
    const holding = async (wrapper = ['unshare', ...UNSHARE]): Promise<LogChild> => {
      const child = startLogChild(world, 'hold', { wrapper });
      onTestFinished(() => child.kill());
      await child.until(() => child.said.entries.length > 0);
      return child;
    };
    const [first] = [await holding(), await holding()];
    expect(await log.adopt()).toEqual([]);
    await first.kill();
    // The one in the namespace dies with it, a moment later.
    let adopted: LogWriter[] = [];
    while (adopted.length === 0) adopted = await log.adopt();
    expect(adopted.map(({ writer }) => writer)).toEqual([first.said.writer]);
    expect(await log.adopt()).toEqual([]);
    const stopped = await holding([]);
    stopped.process.kill('SIGSTOP');
    expect(await log.adopt()).toEqual([]);
    await expect(log.forget(stopped.said.writer)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await stopped.kill();
    expect((await log.adopt()).map(({ writer }) => writer)).toEqual([stopped.said.writer]);
  },
);
