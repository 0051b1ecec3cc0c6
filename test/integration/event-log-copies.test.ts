// Folders of the event log that were copied: of all copies one at most goes on, and what another acknowledged is never lost unread.

import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR, systemClock } from '../../src/core/index.ts';
import { type EventLog, type EventLogOptions, type LogWriter, readCopied } from '../../src/events/index.ts';
import { type ObjectStore, openObjectStore } from '../../src/storage/index.ts';
import { settled } from '../support/event-log-child.ts';
import { type EventLogWorld, eventLogWorld, numberRow, numbersOf } from '../support/event-logs.ts';
import { numbersSource as source } from '../support/numbers-source.ts';
import { sharedS3 } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { isFull } from '../support/tier.ts';
import { findVersitygw, WITHOUT_VERSITYGW } from '../support/versitygw-program.ts';

const LEASE_MS = 500;
/** Of a machine whose reports nobody hears of while the test lasts. */
const NEVER_MS = 3_600_000;
/** Every writer looks as if it had been silent for long. */
const ahead = (hours: number) => ({ nowMicros: () => systemClock.nowMicros() + hours * MICROS_PER_HOUR });
const LATER = ahead(1);
const WAITS = { waits: true };

let world: EventLogWorld;
afterEach(() => world.remove());

const path = (machine: string): string => `${world.path}-of-${machine}`;
const start = (machine: string, options: Partial<EventLogOptions> = {}): Promise<EventLog> =>
  world.open({ path: path(machine), leaseMs: LEASE_MS, ...options });
const copyDisk = (from: string, to: string): void => cpSync(path(from), path(to), { recursive: true });
const push = (writer: LogWriter, n: number) => writer.append({ source, rows: [numberRow(n)] });
const counted = async (log: EventLog): Promise<number[]> =>
  numbersOf(await Array.fromAsync(log.read(1, 1, (await log.writers())[0]?.cut ?? 0)));
const folders = (machine: string): string[] => readdirSync(path(machine)).sort();
const errors = (): string[] => world.said.flatMap(({ level, message }) => (level === 'error' ? [message] : []));

/** A machine with three events in its log. */
async function begin(options: Partial<EventLogOptions> = {}) {
  const log = await start('a', options);
  const writer = await log.register();
  await writer.openCut(new Map([['v@1', [-Infinity]]]));
  for (const n of [1, 2, 3]) await push(writer, n);
  const [folder = ''] = folders('a');
  return { log, writer, folder };
}

/** Adopts as often as it takes to see the writer stand still. */
async function adopted(log: EventLog): Promise<LogWriter> {
  for (;;) {
    const [writer] = await log.adopt(WAITS);
    if (writer !== undefined) return writer;
  }
}

const program = findVersitygw();
const shared = isFull && program !== undefined ? sharedS3('copied folders of the event log') : undefined;
// moto lets two racing writers win.
if (isFull && program === undefined) skipBecause(`copied folders of the event log, on S3: ${WITHOUT_VERSITYGW}`);
const openOnS3 = async (): Promise<EventLogWorld> => {
  const server = (await shared) ?? expect.fail('it is not there');
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const bucket = `s3://${await server.newBucket()}?endpoint=${encodeURIComponent(endpoint)}`;
  return eventLogWorld({ objects: openObjectStore(bucket, { accessKeyId, secretAccessKey }) });
};
const STORES: (readonly [string, () => Promise<EventLogWorld>])[] = [['files', () => eventLogWorld()]];
if (shared !== undefined) STORES.push(['S3', openOnS3]);

describe.each(STORES)('with its segments on %s', (_name, open) => {
  beforeEach(async () => {
    world = await open();
  });

  describe('a copy of a folder', () => {
    it('is left alone while the writer lives, says so once, and goes once the writer has ended', async () => {
      const { log, writer, folder } = await begin();
      copyDisk('a', 'copy');
      await push(writer, 4);
      const copy = await start('copy', { clock: LATER });
      for (let look = 0; look < 3; look++) expect(await copy.adopt(WAITS)).toEqual([]);
      const told = world.said.filter(({ message }) => message.includes('is a copy: another process holds that writer'));
      expect(told.map(({ level }) => level)).toEqual(['warn']);
      await push(writer, 5);
      await settled(writer);
      expect(await counted(log)).toEqual([1, 2, 3, 4, 5]);
      await settled(await adopted(copy));
      expect(folders('copy')).toEqual([]);
      expect(existsSync(join(path('a'), folder))).toBe(false);
      expect(await counted(copy)).toEqual([1, 2, 3, 4, 5]);
    });

    it('is taken over by one of two machines that start with it at once, when nobody reports any more', async () => {
      const { log } = await begin();
      await log.close();
      for (const machine of ['b', 'c']) copyDisk('a', machine);
      const machines = await Promise.all(['b', 'c'].map((machine) => start(machine, { clock: LATER })));
      expect(await Promise.all(machines.map((one) => one.adopt()))).toEqual([[], []]);
      const takers = await Promise.all(machines.map((one) => one.adopt(WAITS)));
      const [winner, ...more] = takers.flat();
      expect([winner?.holder, more]).toEqual([2, []]);
      for (const one of machines) expect(await one.adopt(WAITS)).toEqual([]);
      await settled(winner as LogWriter);
      expect(await counted(machines[0] as EventLog)).toEqual([1, 2, 3]);
      const loser = machines[takers.findIndex((found) => found.length === 0)] as EventLog;
      await settled(await adopted(loser));
      expect([folders('b'), folders('c')]).toEqual([[], []]);
      expect(await counted(loser)).toEqual([1, 2, 3]);
      expect(errors()).toEqual([]);
    });

    it('is not taken over by a process that did not see the writer stand still for long enough', async () => {
      const { log } = await begin();
      await log.close();
      copyDisk('a', 'b');
      const slow = await start('b', { leaseMs: NEVER_MS });
      expect(await slow.adopt()).toEqual([]);
      expect(await slow.adopt(WAITS)).toEqual([]);
      // The folder itself, on a machine that was not restarted, is.
      expect((await (await start('a', { leaseMs: NEVER_MS })).adopt()).map(({ holder }) => holder)).toEqual([2]);
    });
  });

  it('a folder is taken over after a restart of its machine, once nobody has reported for long enough', async () => {
    const { log } = await begin();
    await log.close();
    const writers = world.database.tables<{ event_writers: { place: string | null } }>().updateTable('event_writers');
    await writers.set({ place: '1:2:the boot before' }).execute();
    const again = await start('a', { clock: LATER });
    expect(await again.adopt()).toEqual([]);
    const [writer] = await again.adopt(WAITS);
    expect(numbersOf(await Array.fromAsync((writer as LogWriter).entries(1, 1)))).toEqual([1, 2, 3]);
    await writer?.close();
    // It is registered there by now.
    expect(await (await start('a')).adopt()).toHaveLength(1);
  });

  describe('a writer whose copy was taken over while it was cut off from the registry', () => {
    it.each(['before', 'after'])(
      'ships nothing, and its last entries are set aside: it ships %s it hears of that',
      async (when) => {
        const { log, writer, folder } = await begin({ leaseMs: NEVER_MS });
        copyDisk('a', 'copy');
        await push(writer, 4);
        const copy = await start('copy', { clock: LATER });
        const settler = await adopted(copy);
        await settled(settler);
        const objects = async () => await Array.fromAsync(world.objects.list('events/'));
        const before = await objects();
        const segment = readFileSync(join(path('a'), folder, '0000000001.log'));
        await push(writer, 5);
        const conflict = { code: 'HR_CONFLICT' };
        if (when === 'after') await expect(writer.touch()).rejects.toMatchObject(conflict);
        await expect(settled(writer)).rejects.toMatchObject(conflict);
        await expect(push(writer, 6)).rejects.toMatchObject(conflict);
        expect(await objects()).toEqual(before);
        expect(await counted(copy)).toEqual([1, 2, 3]);
        await log.close();

        for (let process = 0; process < 2; process++) {
          const told = errors().length;
          const again = await start('a', { clock: ahead(2) });
          expect(await again.adopt(WAITS)).toEqual([]);
          const aside = join(path('a'), `.copied-${folder}`);
          expect(errors().slice(told)).toEqual([expect.stringContaining(`headrace log entries ${aside}`)]);
          expect(readFileSync(join(aside, '0000000001.log')).subarray(0, segment.length)).toEqual(segment);
          // A segment whose process died before its head was written.
          writeFileSync(join(aside, '0000000002.log'), '');
          const lacking = await Array.fromAsync(readCopied(aside, world.objects));
          expect([numbersOf(lacking), lacking.map(({ offset }) => offset)]).toEqual([
            [4, 5],
            [3, 4],
          ]);
          await again.close();
        }
        expect(await counted(copy)).toEqual([1, 2, 3]);
      },
    );

    it('records no segment that it put in the moment in which it was taken over', async () => {
      let takeOver = async (): Promise<void> => {};
      const objects: ObjectStore = {
        ...world.objects,
        async put(...given) {
          const isNew = await world.objects.put(...given);
          await takeOver();
          return isNew;
        },
      };
      const { writer } = await begin({ leaseMs: NEVER_MS, objects });
      copyDisk('a', 'copy');
      await push(writer, 4);
      const copy = await start('copy', { clock: LATER });
      let settler: LogWriter | undefined;
      takeOver = async () => {
        takeOver = async () => {};
        settler = await adopted(copy);
      };
      await expect(settled(writer)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      // What lies there is the other's, and nothing reads it: it is neither replaced nor taken for this copy's segment.
      const message = expect.stringMatching(/holds other bytes.*move the object away/);
      await expect(settled(settler as LogWriter)).rejects.toMatchObject({ code: 'HR_LOG_DAMAGED', message });
      const [object] = await Array.fromAsync(world.objects.list('events/'));
      await world.objects.remove(object?.key ?? '');
      await settler?.ship();
      await settler?.end();
      expect(await counted(copy)).toEqual([1, 2, 3]);
    });
  });

  it('a segment that was put by a process that died before it recorded it is put again, and counts once', async () => {
    let fails = true;
    const puts: number[] = [];
    const objects: ObjectStore = {
      ...world.objects,
      async put(...given) {
        const isNew = await world.objects.put(...given);
        puts.push(given[1].length);
        if (fails) throw new Error('the process ends here');
        return isNew;
      },
    };
    const { writer, log } = await begin({ objects });
    await writer.seal(1, []);
    await expect(writer.ship()).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
    fails = false;
    await writer.ship();
    expect(new Set(puts).size).toBe(1);
    expect(puts.length).toBe(3);
    expect(await counted(log)).toEqual([1, 2, 3]);
  });
});
