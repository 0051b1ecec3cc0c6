// Event logs of real processes on one folder: killed at any moment, stopped, in containers of their own.
// twin: test/integration/crash-steps.test.ts > a process that dies at any step
// twin: test/contract/event-log.test.ts > hands a log that was left to whoever adopts it

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventLog, LogWriter } from '../../src/events/index.ts';
import type { ForeverPlaces } from '../support/event-log-forever.ts';
import { type EventLogWorld, eventLogWorld, numbersOf } from '../support/event-logs.ts';
import { skipBecause } from '../support/skips.ts';

const SCRIPT = fileURLToPath(new URL('../support/event-log-forever.ts', import.meta.url));
const KILLS = 8;
const KILLS_LIMIT_MS = 120_000;
const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount-proc'];
const hasNamespaces = spawnSync('unshare', [...UNSHARE, 'true']).status === 0;
if (!hasNamespaces) skipBecause('event logs in pid namespaces of their own: unshare may make none here');

interface Said {
  readonly entries: { readonly first: number; readonly rows: number; readonly cut: number; readonly offset: number }[];
  writer: number;
  sealed: number;
  shipped: number;
}

describe('processes on one folder of event logs', () => {
  let world: EventLogWorld;
  let log: EventLog;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    world = await eventLogWorld();
    log = await world.open({ segmentBytes: 4000 });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await world.remove();
  });

  const start = (mode: 'append' | 'hold', wrapper: readonly string[] = []): { child: ChildProcess; said: Said } => {
    const { path, url, objectFolder } = world;
    const places: ForeverPlaces = { path, url, objectFolder, mode };
    const words = [...wrapper, process.execPath, SCRIPT, JSON.stringify(places)];
    const child = spawn(words[0] as string, words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return { child, said: { entries: [], writer: 0, sealed: 0, shipped: 0 } };
  };

  /** Notes what the child acknowledges until `isEnough`, or until it ends. */
  const listen = async ({ child, said }: ReturnType<typeof start>, isEnough: () => boolean): Promise<void> => {
    if (child.stdout === null) throw new Error('its output is piped');
    for await (const line of createInterface({ input: child.stdout })) {
      const [word, ...numbers] = line.split(' ');
      const [first = 0, rows = 0, cut = 0, offset = 0] = numbers.map(Number);
      if (word === 'entry') said.entries.push({ first, rows, cut, offset });
      else if (word === 'writer' || word === 'sealed' || word === 'shipped') said[word] = first;
      if (isEnough()) return;
    }
  };

  const ended = async (child: ChildProcess): Promise<void> => {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };

  it(
    'lose no acknowledged entry to SIGKILL at any moment, and give none twice',
    async () => {
      for (let kill = 0; kill < KILLS; kill++) {
        const run = start('append');
        const { child, said } = run;
        const enough = 1 + Math.floor(Math.random() * 200);
        let left = -1;
        // Everything that it said before it died is heard: reading goes on to the end of its output.
        await listen(run, () => {
          if (said.entries.length >= enough && left < 0) {
            left = 0;
            child.kill('SIGKILL');
          }
          return false;
        });
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        const [writer, ...more] = await log.adopt();
        if (writer === undefined) throw new Error(`nothing to adopt: ${JSON.stringify(world.said)}`);
        expect(more).toEqual([]);
        expect([writer.writer, writer.holder]).toEqual([said.writer, 2]);

        const entries = await Array.fromAsync(writer.entries(1, writer.cut));
        for (const [index, entry] of entries.entries()) {
          const before = entries[index - 1];
          if (before !== undefined) expect(entry.offset).toBeGreaterThanOrEqual(before.offset + before.count);
        }
        const found = numbersOf(entries);
        expect(new Set(found).size).toBe(found.length);
        const byOffset = new Map(entries.map((entry) => [entry.offset, entry]));
        for (const { first, rows, cut, offset } of said.entries) {
          const entry = byOffset.get(offset);
          expect(entry?.cut).toBe(cut);
          expect(numbersOf(entry === undefined ? [] : [entry])).toEqual(
            Array.from({ length: rows }, (_, i) => first + i),
          );
        }
        const cuts = await writer.cuts();
        const sealed = cuts.filter(({ voids }) => voids !== undefined).length;
        expect(sealed).toBeGreaterThanOrEqual(said.sealed);
        expect(sealed).toBeGreaterThanOrEqual(said.shipped);
        for (let cut = sealed + 1; cut <= writer.cut; cut++) await writer.seal(cut, []);
        await writer.ship();
        await writer.end();
        expect(numbersOf(await Array.fromAsync(log.read(said.writer, 1, cuts.length)))).toEqual(found);
      }
      expect((await log.writers()).map(({ state }) => state)).toEqual(Array.from({ length: KILLS }, () => 'ended'));
    },
    KILLS_LIMIT_MS,
  );

  it('are left alone while they are stopped, and taken over once they are dead', async () => {
    const run = start('hold');
    await listen(run, () => run.said.entries.length > 0);
    run.child.kill('SIGSTOP');
    expect(await log.adopt()).toEqual([]);
    await expect(log.forget(run.said.writer)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await ended(run.child);
    const [writer] = (await log.adopt()) as [LogWriter];
    expect(numbersOf(await Array.fromAsync(writer.entries(1, 1)))).toEqual([0]);
  });

  it('each write a log of their own, and each is taken over by one alone', async () => {
    const runs = [start('hold'), start('hold'), start('hold')];
    await Promise.all(runs.map((run) => listen(run, () => run.said.entries.length > 0)));
    expect(new Set(runs.map(({ said }) => said.writer)).size).toBe(3);
    await ended((runs[0] as (typeof runs)[number]).child);
    await ended((runs[1] as (typeof runs)[number]).child);
    const others = await Promise.all([world.open(), world.open(), world.open()]);
    const adopted = (await Promise.all(others.map((other) => other.adopt()))).flat();
    const dead = [runs[0]?.said.writer, runs[1]?.said.writer].sort();
    expect(adopted.map(({ writer }) => writer).sort()).toEqual(dead);
  });

  it.skipIf(!hasNamespaces)(
    'see each other live and die across pid namespaces, where their pids are the same',
    async () => {
      const runs = [start('hold', ['unshare', ...UNSHARE]), start('hold', ['unshare', ...UNSHARE])];
      await Promise.all(runs.map((run) => listen(run, () => run.said.entries.length > 0)));
      expect(await log.adopt()).toEqual([]);
      const [first, second] = runs as [(typeof runs)[number], (typeof runs)[number]];
      await ended(first.child);
      // The one in the namespace dies with it, a moment later.
      let adopted: LogWriter[] = [];
      while (adopted.length === 0) adopted = await log.adopt();
      expect(adopted.map(({ writer }) => writer)).toEqual([first.said.writer]);
      expect(await log.adopt()).toEqual([]);
      await ended(second.child);
    },
  );
});
