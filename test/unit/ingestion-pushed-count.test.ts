// The rows of a source that count, by writer: only as far as all entries before them are decided.

import { expect, it, onTestFinished } from 'vitest';
import type { LogEntry } from '../../src/events/index.ts';
import { createPushedCount } from '../../src/ingestion/pushed-count.ts';
import { openPushedTable } from '../../src/ingestion/pushed-table.ts';
import { openDatabase } from '../../src/storage/index.ts';

const entry = (offset: number, count: number): LogEntry => {
  return { writer: 1, cut: 1, offset, count, source: 's', rows: () => [] };
};

it('counts an entry that is decided before an earlier one only once that is decided too', async () => {
  const database = await openDatabase('sqlite::memory:');
  onTestFinished(() => database.close());
  const table = await openPushedTable(database);
  const counted = createPushedCount(table, 1);
  const [first, second, third] = [counted.enter('s'), counted.enter('s'), counted.enter('s')];
  const told = async () => {
    await counted.tell();
    return (await table.ofWriter(1)).get('s');
  };
  second(entry(2, 3), true);
  expect(await told()).toBeUndefined();
  first(entry(0, 2), false);
  expect(await told()).toEqual({ through: 5, rows: 3 });
  third(undefined, false);
  counted.enter('s')(entry(5, 1), true);
  expect(await told()).toEqual({ through: 6, rows: 4 });
});

it('is of another number once its log is, and what was counted by that one is not counted again', async () => {
  const database = await openDatabase('sqlite::memory:');
  onTestFinished(() => database.close());
  const table = await openPushedTable(database);
  await table.tell(1, new Map([['s', { through: 5, rows: 3 }]]));
  await table.tell(2, new Map([['s', { through: 1, rows: 1 }]]));
  await table.move(1, 3);
  await table.move(1, 3);
  expect([...(await table.ofWriter(3))]).toEqual([['s', { through: 5, rows: 3 }]]);
  expect(await table.rows('s')).toBe(4);
});
