// Appends to an event log in a topic beside the same to one on disk: pushes of one row, many at once, and batches.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '../src/core/index.ts';
import type { SourceSpec } from '../src/definitions/index.ts';
import { type EventLog, openEventLog, openKafkaEventLog } from '../src/events/index.ts';
import { openDatabase, openObjectStore, parseBrokers } from '../src/storage/index.ts';
import type { KafkaServer } from '../test/support/kafka-server.ts';
import { median } from './median.ts';
import { type Figure, whole } from './report.ts';

const AT_ONCE = 64;
const BATCHES_AT_ONCE = 4;
const BATCH_ROWS = 1000;

const source: SourceSpec = {
  name: 'floats',
  kind: 'pushed',
  location: {},
  columns: Array.from({ length: 10 }, (_, at) => ({ name: `c${at}`, type: { kind: 'float64' as const } })),
  derive: [],
  eventTime: 'c0',
  knownTime: { kind: 'after', micros: 0 },
  pushes: 'keep',
};
const ROW = { row: Object.fromEntries(source.columns.map(({ name }, at) => [name, at / 3])), knownMicros: 1 };

export async function measureKafkaLog(kafka: KafkaServer, rounds: number, seconds: number): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const database = await openDatabase(`sqlite:${join(folder, 'registry.db')}`);
  const objects = openObjectStore(`file:${join(folder, 'objects')}`);
  const options = { path: join(folder, 'log'), database, objects, clock: systemClock, logger: silentLogger };
  const logs = [
    await openKafkaEventLog({
      ...options,
      topic: `log-${process.pid}`,
      brokers: parseBrokers(kafka.broker, 'BROKERS'),
      partitions: 4,
    }),
    await openEventLog(options),
  ];
  try {
    const figures: Figure[] = [];
    for (const [rows, atOnce] of [
      [1, AT_ONCE],
      [BATCH_ROWS, BATCHES_AT_ONCE],
    ] as const) {
      const rates: [number[], number[]] = [[], []];
      // In turn, so that noise hits both.
      for (let round = 0; round < rounds; round++)
        for (const [index, log] of logs.entries())
          rates[index as 0 | 1].push(await measureAppends(log, rows, atOnce, seconds));
      const [inTopic, onDisk] = rates.map((all) => median(all)) as [number, number];
      figures.push({
        name: `the log in a topic, ${rows === 1 ? 'single rows' : `batches of ${whole(rows)}`}, ${atOnce} at once`,
        value: `${whole(inTopic)} rows/s`,
        floor: `on disk: ${whole(onDisk)} rows/s`,
        ratio: (inTopic / onDisk).toFixed(3),
      });
    }
    return figures;
  } finally {
    for (const log of logs) await log.close();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureAppends(log: EventLog, rows: number, atOnce: number, seconds: number): Promise<number> {
  const writer = await log.register();
  await writer.openCut(new Map());
  const entry = { source, rows: Array.from({ length: rows }, () => ROW) };
  let count = 0;
  const before = performance.now();
  const until = before + seconds * 1000;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (; performance.now() < until; count += rows) await writer.append(entry);
    }),
  );
  const rate = count / ((performance.now() - before) / 1000);
  await writer.seal(1, []);
  await writer.ship();
  await writer.end();
  return rate;
}
