// A process that appends numbered rows to an event log, cuts, seals and ships, and says what is acknowledged; made to be
// killed. Argument: its places and mode as JSON.

import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, silentLogger, systemClock } from '../../src/core/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { numberRow } from './event-logs.ts';
import { type LogTopic, openLogAt } from './log-places.ts';
import { numbersSource as source } from './numbers-source.ts';

export interface ForeverPlaces {
  /** The machine's folder. */
  readonly path: string;
  /** The registry's. */
  readonly url: string;
  readonly objectFolder: string;
  /** `again` goes on when an append fails, and says so. */
  readonly mode: 'append' | 'again' | 'hold';
  readonly topic?: LogTopic;
}

// The parent wrote it.
const { path, url, objectFolder, mode, topic } = JSON.parse(process.argv[2] ?? '{}') as ForeverPlaces;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const log = await openLogAt(topic, {
  path,
  database: await openDatabase(url),
  objects: openObjectStore(`file:${objectFolder}`),
  clock: systemClock,
  logger: silentLogger,
  segmentBytes: 4000,
  patienceMs: 3000,
});
const writer = await log.register();
await writer.openCut(new Map());
say(`writer ${writer.writer}`);
let next = 0;
const push = async (rows: number): Promise<void> => {
  const first = next;
  next += rows;
  try {
    const { cut, offset } = await writer.append({
      source,
      rows: Array.from({ length: rows }, (_, index) => numberRow(first + index)),
    });
    say(`entry ${first} ${rows} ${cut} ${offset}`);
  } catch (error) {
    if (mode !== 'again') throw error;
    say(`failed ${first} ${rows} ${messageOf(error)}`);
    await delay(20);
  }
};
if (mode === 'hold') {
  await push(1);
  // Each line has it push once more.
  process.stdin.on('data', () => {
    push(1).catch((error: unknown) => say(`refused ${messageOf(error)}`));
  });
  // Lives until it is ended.
  setInterval(() => {}, 1000);
} else {
  for (let round = 1; ; round++) {
    await Promise.all([push(1), push(3), push(1), push(2)]);
    if (round % 7 !== 0) continue;
    if (mode === 'again') continue;
    const before = writer.cut;
    await Promise.all([push(1), writer.openCut(new Map()), push(1)]);
    await writer.seal(before, []);
    say(`sealed ${before}`);
    if (round % 14 === 0) say(`shipped ${await writer.ship()}`);
  }
}
