// What gc takes away, in which order, and what of it stays.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger, silentProgress } from '../../src/core/index.ts';
import { collectGarbage } from '../../src/housekeeping/gc/collect-garbage.ts';
import type { AuditEntry } from '../../src/registry/index.ts';
import { type Collector, type Database, openDatabase, type Removable } from '../../src/storage/index.ts';

let database: Database;
let steps: string[];
beforeEach(async () => {
  database = await openDatabase('sqlite::memory:');
  steps = [];
});
afterEach(() => database.close());

const item = (id: string): Removable => ({ id, what: `set ${id}`, why: 'it is old', bytes: 1, sinceMicros: 0 });
const itemsOf = (count: number): Removable[] => Array.from({ length: count }, (_, at) => item(String(at)));

const collectorOf = (items: readonly Removable[], more: Partial<Collector> = {}): Collector => ({
  name: 'training set',
  plan: async () => ({ items, notes: ['one was left'] }),
  async forget(_trx, some) {
    steps.push(`forget ${some.map(({ id }) => id).join(' ')}`);
    return some;
  },
  erase: async ({ id }) => void steps.push(`erase ${id}`),
  ...more,
});

function collect(collectors: readonly Collector[], dryRun = false) {
  const auditLog = { recordIn: async (_: unknown, { object }: AuditEntry) => void steps.push(`audit ${object}`) };
  const deps = { database, auditLog, actor: 'ann', logger: silentLogger, progress: silentProgress };
  return collectGarbage({ ...deps, collectors }, { dryRun });
}

it('a dry run tells what would go, and touches nothing', async () => {
  expect(await collect([collectorOf([item('a')])], true)).toEqual({
    items: [{ ...item('a'), collector: 'training set' }],
    stayed: [],
    failures: [],
    notes: ['one was left'],
  });
  expect(steps).toEqual([]);
});

it('rows go first, with a line of the audit log, and files after them', async () => {
  const report = await collect([collectorOf([item('a'), item('b')])]);
  expect(report.items.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(steps).toEqual(['forget a b', 'audit training-set/a', 'audit training-set/b', 'erase a', 'erase b']);
});

it('what is needed again by then stays, and may go another time', async () => {
  const needed = collectorOf([item('a'), item('b')], {
    forget: async (_, some) => some.filter(({ id }) => id === 'b'),
  });
  expect(await collect([needed])).toMatchObject({ items: [{ id: 'b' }], stayed: [{ id: 'a' }] });
  expect(await collect([collectorOf([item('a')], { recheck: async () => [] })])).toMatchObject({
    stayed: [{ id: 'a' }],
  });
  expect(await collect([collectorOf([item('a')])])).toMatchObject({ items: [{ id: 'a' }], stayed: [] });
});

it('files that could not be taken away are taken away by the next run, though nobody plans it', async () => {
  const broken = collectorOf([item('a')], { erase: () => Promise.reject(new Error('the disk is away')) });
  expect(await collect([broken])).toMatchObject({
    items: [{ id: 'a' }],
    failures: [{ collector: 'training set', reason: 'the disk is away' }],
  });
  // It is decided already: nobody decides it again.
  expect(await collect([broken])).toMatchObject({ items: [], stayed: [{ id: 'a' }] });
  steps = [];
  expect(await collect([collectorOf([])])).toMatchObject({ items: [], failures: [] });
  expect(steps).toEqual(['erase a']);
  steps = [];
  await collect([collectorOf([])]);
  expect(steps).toEqual([]);
});

it('few go in one transaction, and a collector that fails keeps no other from its work', async () => {
  const failing = collectorOf([], { name: 'blob', plan: () => Promise.reject(new Error('no such bucket')) });
  const report = await collect([failing, collectorOf(itemsOf(51))]);
  expect(report.failures).toEqual([{ collector: 'blob', reason: 'no such bucket' }]);
  expect(report.items).toHaveLength(51);
  expect(steps.filter((step) => step.startsWith('forget')).map((step) => step.split(' ').length - 1)).toEqual([50, 1]);
});
