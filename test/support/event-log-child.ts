// A process that appends to an event log (event-log-forever.ts), what it said so far, and what its death must leave.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { EventLog, LogEntry, LogWriter } from '../../src/events/index.ts';
import type { ForeverPlaces } from './event-log-forever.ts';
import { type EventLogWorld, numbersOf } from './event-logs.ts';
import type { LogTopic } from './log-places.ts';

const SCRIPT = fileURLToPath(new URL('event-log-forever.ts', import.meta.url));

/** `said` is what it said so far. */
export type LogChild = ReturnType<typeof startLogChild>;

interface Said {
  readonly entries: Record<'first' | 'rows' | 'cut' | 'offset', number>[];
  readonly failed: { readonly first: number; readonly rows: number; readonly why: string }[];
  readonly refused: string[];
  writer: number;
  sealed: number;
  shipped: number;
}

/** `wrapper`: a command that runs it. */
export function startLogChild(
  { path, url, objectFolder }: EventLogWorld,
  mode: ForeverPlaces['mode'],
  { topic, wrapper = [] }: { readonly topic?: LogTopic; readonly wrapper?: readonly string[] } = {},
) {
  const places: ForeverPlaces = { path, url, objectFolder, mode, ...(topic && { topic }) };
  const [program, ...words] = [...wrapper, process.execPath, SCRIPT, JSON.stringify(places)];
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const said: Said = { entries: [], failed: [], refused: [], writer: 0, sealed: 0, shipped: 0 };
  let waiting: (() => void)[] = [];
  const wakeAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const wake of all) wake();
  };
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const [word, ...rest] = line.split(' ');
    const [first = 0, rows = 0, cut = 0, offset = 0] = rest.map(Number);
    if (word === 'entry') said.entries.push({ first, rows, cut, offset });
    else if (word === 'failed') said.failed.push({ first, rows, why: rest.slice(2).join(' ') });
    else if (word === 'refused') said.refused.push(rest.join(' '));
    else if (word === 'writer' || word === 'sealed' || word === 'shipped') said[word] = first;
    wakeAll();
  });
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(wakeAll);
  return {
    process: child,
    said,
    /** Resolves once it said so much; throws when it ended first. */
    async until(isEnough: () => boolean): Promise<void> {
      while (!isEnough() && child.exitCode === null && child.signalCode === null)
        await Promise.race([new Promise<void>((wake) => waiting.push(wake)), ended]);
      if (!isEnough()) throw new Error(`it ended first: ${JSON.stringify(said)}`);
    },
    /** Resolves when it is gone, and all that it said is heard. */
    async kill(): Promise<void> {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Every acknowledged row is there once, where it was said to be. */
export function expectAll(entries: readonly LogEntry[], { entries: told }: LogChild['said']): void {
  const found = numbersOf(entries);
  expect(new Set(found).size).toBe(found.length);
  const byOffset = new Map(entries.map((entry) => [entry.offset, entry]));
  for (const { first, rows, cut, offset } of told) {
    const entry = byOffset.get(offset);
    expect(entry?.cut).toBe(cut);
    expect(numbersOf(entry === undefined ? [] : [entry])).toEqual(Array.from({ length: rows }, (_, i) => first + i));
  }
}

export async function settled(writer: LogWriter): Promise<void> {
  for (const { cut, voids } of await writer.cuts()) if (voids === undefined) await writer.seal(cut, []);
  await writer.ship();
  await writer.end();
}

/** Kills one process after another in the middle of its appends; `adopted` gives what was taken over. */
export async function expectNothingLost(
  log: EventLog,
  kills: number,
  start: () => LogChild,
  adopted: () => Promise<LogWriter[]>,
): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    const child = start();
    const enough = 1 + Math.floor(Math.random() * 250);
    await child.until(() => child.said.entries.length >= enough);
    await child.kill();
    const [writer, ...more] = (await adopted()) as [LogWriter];
    expect(more).toEqual([]);
    expect([writer.writer, writer.holder]).toEqual([child.said.writer, 2]);
    const entries = await Array.fromAsync(writer.entries(1, writer.cut));
    for (const [index, { offset }] of entries.entries()) {
      const before = entries[index - 1];
      if (before !== undefined) expect(offset).toBeGreaterThanOrEqual(before.offset + before.count);
    }
    expectAll(entries, child.said);
    const sealed = (await writer.cuts()).filter(({ voids }) => voids !== undefined).length;
    expect(sealed).toBeGreaterThanOrEqual(Math.max(child.said.sealed, child.said.shipped));
    const { cut } = writer;
    await settled(writer);
    expect(numbersOf(await Array.fromAsync(log.read(child.said.writer, 1, cut)))).toEqual(numbersOf(entries));
  }
  expect((await log.writers()).map(({ state }) => state)).toEqual(Array.from({ length: kills }, () => 'ended'));
}
