// Damage of a log's files, byte by byte: what was acknowledged is never lost silently, and nothing is guessed.

import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import type { WriterRow } from '../../src/events/event-log.ts';
import type { EventLog, LogWriter } from '../../src/events/index.ts';
import { packFrame, readFrame } from '../../src/events/records/frame.ts';
import { packEntry, packMark } from '../../src/events/records/log-record.ts';
import { tryLock } from '../../src/events/segments/folder-lock.ts';
import { segmentPath } from '../../src/events/segments/local-segments.ts';
import { recoverLog } from '../../src/events/segments/recover-log.ts';
import type { LastShipped, ShippedTable } from '../../src/events/tables/shipped-table.ts';
import { type EventLogWorld, eventLogWorld, numberRow, numbersOf } from '../support/event-logs.ts';
import { numbersSource as source } from '../support/numbers-source.ts';

describe('a frame', () => {
  it('gives back what was packed, and tells torn from damaged wherever it is cut or flipped', () => {
    const frame = packFrame(7, '{"a":"é"}', Buffer.from('body ü'));
    const read = readFrame(Buffer.concat([Buffer.from('xx'), frame, Buffer.from('y')]), 2);
    expect(read).toMatchObject({ kind: 7, header: '{"a":"é"}', at: 2, end: 2 + frame.length });
    expect(typeof read === 'string' ? undefined : read.body().toString()).toBe('body ü');
    for (let length = 0; length < frame.length; length++) expect(readFrame(frame.subarray(0, length), 0)).toBe('torn');
    for (let at = 0; at < frame.length; at++) {
      for (const bit of [1, 128]) {
        const flipped = Buffer.from(frame);
        flipped[at] = (flipped[at] as number) ^ bit;
        expect(readFrame(flipped, 0)).toMatch(at < 12 && (at < 4 || at > 7) ? /head/ : /fails its checksum/);
      }
    }
    expect(readFrame(Buffer.alloc(64), 0)).toMatch(/fails its checksum/);
  });
});

describe('a folder of logs', () => {
  it('that is a file, or lies under one, is told as the setting’s mistake', async () => {
    const world = await eventLogWorld();
    writeFileSync(world.path, '');
    for (const path of [world.path, join(world.path, 'below')]) {
      await expect(world.open({ path })).rejects.toMatchObject({
        code: 'HR_CONFIG',
        message: `pushLog.path: ${path} is a file, or lies under one; name a folder, or move the file away.`,
      });
    }
    rmSync(world.path);
    const log = await world.open();
    rmSync(world.path, { recursive: true });
    writeFileSync(world.path, '');
    await expect(log.register()).rejects.toMatchObject({ code: 'HR_CONFIG' });
    await expect(log.adopt()).rejects.toMatchObject({ code: 'HR_CONFIG' });
    await world.remove();
  });
});

describe('a log that is opened after its process died', () => {
  let world: EventLogWorld;
  let log: EventLog;
  let folder: string;
  const push = (writer: LogWriter, n: number) => writer.append({ source, rows: [numberRow(n)] });
  const segments = (): string[] =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.log'))
      .sort()
      .map((name) => join(folder, name));
  const numbers = async (writer: LogWriter): Promise<number[]> =>
    numbersOf(await Array.fromAsync(writer.entries(1, writer.cut)));
  const adoptOne = async (): Promise<LogWriter> => {
    const [writer, ...more] = await log.adopt();
    expect(more).toEqual([]);
    if (writer === undefined) throw new Error(`nothing to adopt: ${JSON.stringify(world.said)}`);
    return writer;
  };

  const begin = async (): Promise<LogWriter> => {
    world = await eventLogWorld();
    log = await world.open({ segmentBytes: 700 });
    const writer = await log.register();
    await writer.openCut(new Map([['v@1', [-Infinity]]]));
    const [name = ''] = readdirSync(world.path);
    folder = join(world.path, name);
    return writer;
  };
  beforeEach(begin);
  afterEach(() => world.remove());
  const storeIsAway = (): void => {
    rmSync(world.objectFolder, { recursive: true });
    writeFileSync(world.objectFolder, 'not a folder');
  };
  const storeIsBack = (): void => {
    rmSync(world.objectFolder);
    mkdirSync(world.objectFolder);
  };

  /** Several segments, none of them shipped: the store is away. */
  const leaveSegments = async (): Promise<void> => {
    await world.remove();
    const writer = await begin();
    storeIsAway();
    for (let n = 1; n <= 12; n++) await push(writer, n);
    await writer.close();
    storeIsBack();
    expect(segments().length).toBeGreaterThan(2);
  };
  /** What every machine can read, once a writer has sealed its cut and shipped it. */
  const shipped = async (writer: LogWriter): Promise<() => Promise<number[]>> => {
    await writer.seal(1, []);
    await writer.ship();
    return async () => numbersOf(await Array.fromAsync(log.read(1, 1, 1)));
  };
  const TWELVE = Array.from({ length: 12 }, (_, n) => n + 1);

  const expectDamaged = async (file: string, byte?: number): Promise<void> => {
    const before = world.said.length;
    expect(await log.adopt()).toEqual([]);
    const told = world.said.slice(before).filter(({ level }) => level === 'error');
    expect(told).toHaveLength(1);
    expect(told[0]?.message).toContain(`${file}, byte ${byte ?? ''}`);
    expect(told[0]?.message).toContain('headrace log forget 1');
  };

  it('leaves out the torn end of its last segment, whatever its length, and goes on after it', async () => {
    await leaveSegments();
    const last = segments().at(-1) as string;
    const whole = readFileSync(last);
    let kept = 0;
    for (let length = whole.length; length >= 0; length -= 7) {
      truncateSync(last, length);
      const writer = await adoptOne();
      const found = await numbers(writer);
      expect(found).toEqual(TWELVE.slice(0, found.length));
      kept = Math.max(kept, found.length);
      await writer.close();
    }
    expect(kept).toBe(12);
    const writer = await adoptOne();
    const before = await numbers(writer);
    await push(writer, 99);
    await writer.close();
    expect(await numbers(await adoptOne())).toEqual([...before, 99]);
  });

  it('goes on in a new segment after a torn end, and the torn bytes are never read again', async () => {
    await leaveSegments();
    const last = segments().at(-1) as string;
    truncateSync(last, readFileSync(last).length - 3);
    const writer = await adoptOne();
    const torn = expect.stringContaining('ends inside an entry that was never acknowledged');
    expect(world.said).toContainEqual({ level: 'warn', message: torn });
    const before = await numbers(writer);
    await push(writer, 50);
    expect(await (await shipped(writer))()).toEqual([...before, 50]);
    expect(segments()).toEqual([]);
  });

  it('is damaged by a flipped bit anywhere, which names file and byte, and hurts no other writer', async () => {
    await leaveSegments();
    const others = await (await world.open()).register();
    await others.openCut(new Map());
    await push(others, 1000);
    for (const file of [segments()[0], segments().at(-1)] as string[]) {
      const whole = readFileSync(file);
      for (let at = 0; at < whole.length; at += 5) {
        const flipped = Buffer.from(whole);
        flipped[at] = (flipped[at] as number) ^ 4;
        writeFileSync(file, flipped);
        const fresh = await world.open();
        const before = world.said.length;
        expect(await fresh.adopt()).toEqual([]);
        const told = world.said.slice(before);
        expect(told).toHaveLength(1);
        const byte = Number(/byte (\d+): /.exec(told[0]?.message ?? '')?.[1]);
        expect(told[0]?.message).toContain(file);
        expect(byte).toBeLessThanOrEqual(at);
        await fresh.close();
      }
      writeFileSync(file, whole);
    }
    await push(others, 1001);
    expect(await numbers(await adoptOne())).toEqual(TWELVE);
  });

  it('is damaged by a missing segment, at the beginning, in the middle, or at the end of a cut that is known', async () => {
    await leaveSegments();
    const [first, second] = segments() as [string, string];
    for (const file of [first, second]) {
      renameSync(file, `${file}.away`);
      await expectDamaged(file, 0);
      renameSync(`${file}.away`, file);
    }
    const saved = `${folder}-saved`;
    cpSync(folder, saved, { recursive: true, filter: (path) => !path.endsWith('lock') });
    for (const file of segments()) rmSync(file);
    await expectDamaged(folder, 0);
    cpSync(saved, folder, { recursive: true });
    rmSync(saved, { recursive: true });
    expect(await numbers(await adoptOne())).toEqual(TWELVE);
  });

  it('is damaged by a segment in the place of another, and by one that is cut short before the last', async () => {
    await leaveSegments();
    const [first, second] = segments() as [string, string];
    const whole = readFileSync(second);
    copyFileSync(first, second);
    await expectDamaged(second, 0);
    writeFileSync(second, whole.subarray(0, whole.length - 1));
    await expectDamaged(second, whole.length - 1);
    writeFileSync(second, whole);
    expect(await numbers(await adoptOne())).toEqual(TWELVE);
  });

  it('is damaged by bytes after its last frame, zeros too', async () => {
    await leaveSegments();
    const last = segments().at(-1) as string;
    const { length } = readFileSync(last);
    appendFileSync(last, Buffer.alloc(40));
    await expectDamaged(last, length);
  });

  it('never reads what a failed write left behind, once the next segment says where the one before it ends', async () => {
    await leaveSegments();
    const last = segments().at(-1) as string;
    const { length } = readFileSync(last);
    const writer = await adoptOne();
    await push(writer, 13);
    const { offset } = await push(writer, 14);
    await writer.close();
    // Whole frames, as a write leaves them whose sync failed and that could not be taken back.
    appendFileSync(last, packEntry(12, { source, rows: [numberRow(666)] }));
    appendFileSync(last, 'and half of one more');
    const next = await adoptOne();
    expect(offset).toBe(13);
    expect(await numbers(next)).toEqual([...TWELVE, 13, 14]);
    expect(await (await shipped(next))()).toEqual([...TWELVE, 13, 14]);
    const objects = await Array.fromAsync(world.objects.list('events/'));
    expect(objects.map(({ size }) => size)).toContain(length);
  });

  it('forgets a segment whose beginning failed', async () => {
    await leaveSegments();
    const last = segments().at(-1) as string;
    const following = last.replace(
      /\d+\.log$/,
      (name) => `${String(Number.parseInt(name, 10) + 1).padStart(10, '0')}.log`,
    );
    writeFileSync(following, '');
    const writer = await adoptOne();
    expect(await numbers(writer)).toEqual(TWELVE);
    await push(writer, 13);
    await writer.close();
    expect(await numbers(await adoptOne())).toEqual([...TWELVE, 13]);
  });

  it('is damaged when frames are whole but do not follow from each other', async () => {
    await leaveSegments();
    const last = segments().at(-1) as string;
    const { length } = readFileSync(last);
    for (const frame of [
      packEntry(3, { source, rows: [numberRow(3)] }),
      packMark({ kind: 'mark', cut: 3, view: new Map() }),
      packFrame(0x5a, '{}'),
    ]) {
      appendFileSync(last, frame);
      await expectDamaged(last, length);
      truncateSync(last, length);
    }
  });

  it('tells a damaged or missing object of the store by its key', async () => {
    await leaveSegments();
    const read = await shipped(await adoptOne());
    const objects = await Array.fromAsync(world.objects.list('events/'));
    const { key, size } = objects[1] as (typeof objects)[number];
    const whole = (await world.objects.get(key)) as Uint8Array;
    const flipped = Uint8Array.from(whole);
    flipped[size - 1] = (flipped[size - 1] as number) ^ 1;
    await world.objects.put(key, flipped);
    await expect(read()).rejects.toMatchObject({ code: 'HR_LOG_DAMAGED', message: expect.stringContaining(key) });
    await world.objects.put(key, whole.subarray(0, size - 1));
    await expect(read()).rejects.toMatchObject({ code: 'HR_LOG_DAMAGED' });
    await world.objects.remove(key);
    // Forgetting the writer would not help: what it shipped is read all the same.
    const message = expect.stringMatching(new RegExp(`${key}.*headrace log forget 1 --through 1$`));
    await expect(read()).rejects.toMatchObject({ code: 'HR_LOG_DAMAGED', message });
    await world.objects.put(key, whole);
    expect(await read()).toEqual(TWELVE);
  });

  it('is not damaged where its object store is away: nothing lies there, or a file does', async () => {
    await leaveSegments();
    const read = await shipped(await adoptOne());
    const away = `${world.objectFolder}-away`;
    renameSync(world.objectFolder, away);
    // Nobody tries again by itself to read.
    const message = expect.stringMatching(/artifacts\.url(?!.*tried again)/);
    const unavailable = { code: 'HR_STORAGE_UNAVAILABLE', message };
    await expect(read()).rejects.toMatchObject(unavailable);
    writeFileSync(world.objectFolder, 'not a folder');
    await expect(read()).rejects.toMatchObject(unavailable);
    storeIsBack();
    await expect(read()).rejects.toMatchObject(unavailable);
    rmSync(world.objectFolder, { recursive: true });
    renameSync(away, world.objectFolder);
    expect(await read()).toEqual(TWELVE);
  });

  it('leaves alone a folder that the registry does not know, and says so once', async () => {
    await log.close();
    const other = await eventLogWorld();
    const foreign = await other.open({ path: world.path });
    expect(await foreign.adopt()).toEqual([]);
    expect(await foreign.adopt()).toEqual([]);
    expect(other.said).toHaveLength(1);
    expect(other.said[0]?.message).toMatch(/left alone/);
    await other.remove();
    const own = await world.open();
    expect(await own.adopt()).toHaveLength(1);
    await own.close();
  });

  it('is shipped later when the store is away: appends go on, and nothing is lost', async () => {
    const writer = await log.register();
    await writer.openCut(new Map());
    storeIsAway();
    for (let n = 1; n <= 12; n++) await push(writer, n);
    await writer.seal(1, []);
    const unavailable = { code: 'HR_STORAGE_UNAVAILABLE', message: expect.stringMatching(/it is tried again$/) };
    await expect(writer.ship()).rejects.toMatchObject(unavailable);
    await writer.openCut(new Map());
    await push(writer, 13);
    storeIsBack();
    expect(await writer.ship()).toBe(1);
    expect(numbersOf(await Array.fromAsync(log.read(writer.writer, 1, 1)))).toEqual(TWELVE);
    expect(await numbers(writer)).toEqual([...TWELVE, 13]);
  });

  it('leaves no folder of one that never had a row, but that of a process about to give it one', async () => {
    const [dead, living] = ['.new-dead', '.new-living'].map((name) => join(world.path, name)) as [string, string];
    for (const fresh of [dead, living]) mkdirSync(fresh);
    const lock = await tryLock(living);
    await log.adopt();
    expect([dead, living].map(existsSync)).toEqual([false, true]);
    lock?.release();
    await log.adopt();
    expect(existsSync(living)).toBe(false);
  });

  it('finds in the registry a segment that was shipped when its process died before it removed the file', async () => {
    await leaveSegments();
    const writer = await adoptOne();
    const copies = mkdtempSync(join(world.path, '.new-copies'));
    for (const file of segments()) copyFileSync(file, join(copies, file.slice(folder.length + 1)));
    await shipped(writer);
    await writer.close();
    cpSync(copies, folder, { recursive: true });
    const next = await adoptOne();
    expect(await numbers(next)).toEqual(TWELVE);
    expect(segments()).toEqual([]);
  });
});

let folder: string;
beforeEach(() => (folder = mkdtempSync(`${tmpdir()}/headrace-recover-`)));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ROW: WriterRow = {
  number: 1,
  token: 't',
  machine: 'm',
  holder: 1,
  state: 'open',
  cut: 4,
  shipped: 4,
  removed: 0,
  logged: 0,
  registeredMicros: 0,
  seenMicros: 0,
  place: null,
};
const END = { cut: 4, sealed: 4, offset: 9 };

/** Of a log whose segments up to `seq` were shipped. */
function recover(seq: number, row: Partial<WriterRow> = {}) {
  const last: LastShipped = { seq, bytes: 77, span: undefined, end: END } as unknown as LastShipped;
  const shipped = { last: async () => last, cuts: async () => [] } as unknown as ShippedTable;
  return recoverLog(folder, { ...ROW, ...row }, { shipped, logger: silentLogger });
}

const leave = (...seqs: readonly number[]): void => {
  for (const seq of seqs) writeFileSync(segmentPath(folder, seq), 'not looked at');
};

it('removes what was shipped, the last segment too, and goes on after it', async () => {
  leave(1, 2, 3);
  expect(await recover(3)).toMatchObject({ local: [], last: { seq: 3, bytes: 77 }, positions: END });
  expect(readdirSync(folder)).toEqual([]);
});

it('is damaged where the segment after the last that was shipped is missing', async () => {
  leave(3, 5);
  const message = expect.stringMatching(/0000000004\.log, byte 0: the file is missing/);
  await expect(recover(3)).rejects.toMatchObject({ code: 'HR_LOG_DAMAGED', message });
});

it('is damaged where it ends before a cut that the registry knows of, and not where it ends in it', async () => {
  expect(await recover(3)).toMatchObject({ positions: { cut: 4 } });
  await expect(recover(3, { cut: 5 })).rejects.toMatchObject({
    code: 'HR_LOG_DAMAGED',
    message: expect.stringContaining('it ends in cut 4, the registry knows of cut 5'),
  });
});
