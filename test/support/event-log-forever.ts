// A process that appends numbered rows to an event log, cuts, seals and ships, and says what is acknowledged; made to be
// killed. Arguments: the machine's folder, the registry's URL, the object store's folder, `append` or `hold`.

import { silentLogger, systemClock } from '../../src/core/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { numberRow } from './event-logs.ts';
import { numbersSource as source } from './numbers-source.ts';

const [, , path = '', url = '', objectFolder = '', mode = ''] = process.argv;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const log = await openEventLog({
  path,
  database: await openDatabase(url),
  objects: openObjectStore(`file:${objectFolder}`),
  clock: systemClock,
  logger: silentLogger,
  segmentBytes: 4000,
});
const writer = await log.register();
await writer.openCut(new Map());
say(`writer ${writer.writer}`);
let next = 0;
const push = async (rows: number): Promise<void> => {
  const first = next;
  next += rows;
  const { cut, offset } = await writer.append({
    source,
    rows: Array.from({ length: rows }, (_, index) => numberRow(first + index)),
  });
  say(`entry ${first} ${rows} ${cut} ${offset}`);
};
if (mode === 'hold') {
  await push(1);
  // Lives until it is ended.
  setInterval(() => {}, 1000);
} else {
  for (let round = 1; ; round++) {
    await Promise.all([push(1), push(3), push(1), push(2)]);
    if (round % 7 !== 0) continue;
    const before = writer.cut;
    await Promise.all([push(1), writer.openCut(new Map()), push(1)]);
    await writer.seal(before, []);
    say(`sealed ${before}`);
    if (round % 14 === 0) say(`shipped ${await writer.ship()}`);
  }
}
