// An audit reads a set's sources by a path of its own, so it finds a set that was made with a mistake in the reading. Each set here
// is made by the product with one line changed, and audited by the product as it is and by the changed one.

import { mkdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseTimestamp } from '../../src/core/index.ts';
import type { Expectation, Manifest } from '../../src/definitions/index.ts';
import { auditTrainingSet, createTrainingSet } from '../../src/offline/index.ts';
import { definitionsOf, fields, TYPES, worldOfEach } from '../support/offline-world.ts';
import { oneView } from '../support/one-view.ts';
import { type MakesSets, type ReadingMistake, withMistake } from '../support/reading-mistakes.ts';

const world = worldOfEach();
const { string, timestamp, int64, float64 } = TYPES;

/** Makes the set with a line of src/offline changed; resolves with the message of the audit as it is, null where that finds nothing. */
async function auditOf(manifest: Manifest, spine: string, mistake?: ReadingMistake) {
  const by: MakesSets = mistake === undefined ? { createTrainingSet } : await withMistake(mistake);
  const deps = { ...world.deps, definitions: definitionsOf(manifest, world.directory) };
  const request = {
    service: 's',
    spine,
    directory: world.directory,
    timestamp: 't',
    labels: [],
    boundary: 'at',
  } as const;
  const { id } = await by.createTrainingSet(deps, { ...request, out: world.path('set.parquet') });
  return auditTrainingSet(deps, id).then(
    () => null,
    (error: Error) => error.message,
  );
}

async function spineAt(time: string): Promise<string> {
  const path = world.path('spine.parquet');
  await world.select(`COPY (FROM (VALUES ('x', TIMESTAMP '${time}')) s(id, t)) TO '${path}'`);
  return path;
}

describe('an audit finds a set that was made', () => {
  it('of a spine whose times were guessed', async () => {
    const columns = fields({ key: string, at: timestamp, v: float64 });
    const events = await world.put('events.parquet', columns, [
      { key: 'x', at: parseTimestamp('2024-03-10T09:00:00Z') ?? null, v: 1 },
    ]);
    const spine = world.path('spine.csv');
    const plain = Array.from({ length: 31_000 }, () => 'x,2024-03-10 08:00:00\n');
    await writeFile(spine, `id,t\n${plain.join('')}x,2024-03-10 10:00:00+02:00\n`);
    const found = await auditOf(oneView(events, columns), spine, 'of a spine whose times were guessed');
    expect(found).toContain('row 31000, t: got "2024-03-10T10:00:00Z", and the spine has "2024-03-10 10:00:00+02:00"');
  });

  it('with a value where the spine has none', async () => {
    const columns = fields({ key: string, at: timestamp, v: float64 });
    const events = await world.put('events.parquet', columns, [
      { key: 'x', at: parseTimestamp('2023-01-01T00:00:00Z') ?? null, v: 1 },
    ]);
    const spine = world.path('spine.parquet');
    await world.select(`COPY (SELECT NULL::VARCHAR AS id, TIMESTAMP '2023-01-15' AS t) TO '${spine}'`);
    const found = await auditOf(oneView(events, columns), spine, 'with a value where the spine has none');
    expect(found).toContain('row 0, id: got "x", and the spine has "null"');
  });

  it('by a rule that let a row take away one that was known before it', async () => {
    const columns = fields({ key: string, at: timestamp, known: timestamp, order: int64, v: float64 });
    const at = (day: string) => parseTimestamp(`2023-01-${day}T00:00:00Z`) ?? null;
    const events = await world.put('events.parquet', columns, [
      { key: 'x', at: at('10'), known: at('10'), order: 1n, v: 1 },
      { key: 'x', at: at('05'), known: at('20'), order: 1n, v: 2 },
    ]);
    const unique: readonly Expectation[] = [{ rule: 'unique', columns: ['order'], onFail: 'quarantine' }];
    const manifest = oneView(events, columns, { source: { expect: unique } });
    const spine = await spineAt('2023-01-15');
    const found = await auditOf(manifest, spine, 'by a rule that let a row take away one that was known before it');
    expect(found).toContain('row 0, v__order: got null, expected "1"');
  });

  it('by a rule of values that let too much through', async () => {
    const columns = fields({ key: string, at: timestamp, v: float64 });
    const events = await world.put('events.parquet', columns, [
      { key: 'x', at: parseTimestamp('2023-01-01T00:00:00Z') ?? null, v: 1 },
      { key: 'x', at: parseTimestamp('2023-01-02T00:00:00Z') ?? null, v: 9 },
    ]);
    const most: readonly Expectation[] = [{ rule: 'between', column: 'v', min: null, max: 5, onFail: 'quarantine' }];
    const manifest = oneView(events, columns, { source: { expect: most } });
    const found = await auditOf(manifest, await spineAt('2023-01-15'), 'by a rule of values that let too much through');
    expect(found).toContain('row 0, v__v: got 9, expected 1');
  });

  it('of lists that were rounded', async () => {
    const columns = fields({ key: string, at: timestamp, v: { kind: 'list', of: int64 } });
    const path = world.path('events.parquet');
    await world.select(
      `COPY (SELECT 'x' AS key, TIMESTAMP '2024-01-01' AS "at", [1.5, 2.5]::DOUBLE[] AS v) TO '${path}'`,
    );
    const found = await auditOf(oneView(path, columns), await spineAt('2024-01-02'), 'of lists that were rounded');
    expect(found).toContain(`row 1, column "v" of ${path} holds "[1.5, 2.5]", which is no list(int64)`);
  });

  it('of texts that were no numbers', async () => {
    const columns = fields({ key: string, at: timestamp, v: int64 });
    const path = world.path('events.csv');
    await writeFile(path, 'key,at,v\nx,2024-01-01T00:00:00Z,1_000\n');
    const manifest = oneView(path, columns, { source: { kind: 'csv' } });
    const found = await auditOf(manifest, await spineAt('2024-01-02'), 'of texts that were no numbers');
    expect(found).toContain(`row 1, column "v" of ${path} holds "1_000", which is no int64`);
  });

  it('of a time that no value can be', async () => {
    const columns = fields({ key: string, at: timestamp, until: timestamp });
    const path = world.path('events.parquet');
    await world.select(
      `COPY (SELECT 'x' AS key, TIMESTAMP '2024-01-01' AS "at", TIMESTAMP 'infinity' AS until) TO '${path}'`,
    );
    const found = await auditOf(oneView(path, columns), await spineAt('2024-01-02'), 'of a time that no value can be');
    expect(found).toContain(`row 1, column "until" of ${path} holds "infinity", which is no timestamp`);
  });

  it('of rows before they were known', async () => {
    const columns = fields({ key: string, at: timestamp, known: timestamp, v: float64 });
    const at = (day: string) => parseTimestamp(`2023-01-${day}T00:00:00Z`) ?? null;
    const events = await world.put('events.parquet', columns, [
      { key: 'x', at: at('01'), known: at('01'), v: 1 },
      { key: 'x', at: at('10'), known: at('20'), v: 2 },
    ]);
    const found = await auditOf(
      oneView(events, columns),
      await spineAt('2023-01-15'),
      'of rows before they were known',
    );
    expect(found).toContain('row 0, v__v: got 2, expected 1');
  });

  it('of a file with a row that its folder’s date denies', async () => {
    const columns = fields({ key: string, at: timestamp, v: float64 });
    await mkdir(world.path('dt=2024-01-02'));
    const path = world.path('dt=2024-01-02/events.csv');
    await writeFile(path, 'key,at,v\nx,2024-01-01T23:30:00Z,2\n');
    const options = { source: { kind: 'csv', partitions: { dt: 'date' } } } as const;
    const manifest = oneView(world.path('dt=*/events.csv'), columns, options);
    const found = await auditOf(
      manifest,
      await spineAt('2024-01-02 12:00:00'),
      'of a file with a row that its folder’s date denies',
    );
    expect(found).toContain(`row 1 of ${path} is of 2024-01-01T23:30:00Z, which its folder dt=2024-01-02 denies`);
  });
});

it('a set that was made rightly is found right', async () => {
  const columns = fields({ key: string, at: timestamp, v: float64 });
  const events = await world.put('events.parquet', columns, [
    { key: 'x', at: parseTimestamp('2023-01-01T00:00:00Z') ?? null, v: 1 },
  ]);
  expect(await auditOf(oneView(events, columns), await spineAt('2023-01-15'))).toBeNull();
});
