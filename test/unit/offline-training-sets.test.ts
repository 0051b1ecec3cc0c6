// Training sets end to end on small files: what is checked, what is recorded, what an audit finds.

import { copyFile, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Row, sha256Hex } from '../../src/core/index.ts';
import type { Manifest, SourceSpec, UserFunction, ViewSpec } from '../../src/definitions/index.ts';
import type { LogWriter, PushedRow } from '../../src/events/index.ts';
import {
  auditTrainingSet,
  createTrainingSet,
  getTrainingSet,
  listTrainingSets,
  type OfflineDeps,
  type TrainingSetRequest,
} from '../../src/offline/index.ts';
import { saveTrainingSet } from '../../src/offline/training-sets/training-set-store.ts';
import { eventLogWorld } from '../support/event-logs.ts';
import {
  definitionsOf,
  fields,
  manifestOf,
  memberOf,
  type OfflineWorld,
  onDemandOf,
  openOfflineWorld,
  readParquet,
  sourceOf,
  TYPES,
  viewOf,
  writeCuts,
  writeParquet,
} from '../support/offline-world.ts';

const MINUTE = 60_000_000;
const COLUMNS = fields({
  key: TYPES.string,
  at: TYPES.timestamp,
  known: TYPES.timestamp,
  value: TYPES.float64,
  big: TYPES.int64,
});
const SPINE = fields({ id: TYPES.string, when: TYPES.timestamp, label: TYPES.int32, bonus: TYPES.float64 });

let world: OfflineWorld;
let logged: object[];
beforeEach(async () => {
  logged = [];
  world = await openOfflineWorld(logged);
});
afterEach(() => world.close());

const EVENTS: Row[] = [
  { key: 'x', at: 10 * MINUTE, known: 12 * MINUTE, value: 1, big: 2n ** 53n + 1n },
  { key: 'x', at: 20 * MINUTE, known: 40 * MINUTE, value: 5, big: 7n },
  { key: 'y', at: 15 * MINUTE, known: 15 * MINUTE, value: null, big: null },
  { key: null, at: 15 * MINUTE, known: 15 * MINUTE, value: 9, big: null },
  { key: 'x', at: null, known: 15 * MINUTE, value: 9, big: null },
];
const ROWS: Row[] = [
  { id: 'x', when: 30 * MINUTE, label: 1, bonus: 0.5 },
  { id: 'x', when: 30 * MINUTE, label: 0, bonus: null },
  { id: 'x', when: 41 * MINUTE, label: 0, bonus: 1 },
  { id: 'nobody', when: 30 * MINUTE, label: 0, bonus: 1 },
  { id: null, when: 30 * MINUTE, label: 0, bonus: 1 },
];

function manifestFor(source: Partial<SourceSpec> = {}): Manifest {
  const events = sourceOf('events', 'events*.parquet', COLUMNS, {
    knownTime: { kind: 'column', column: 'known' },
    ...source,
  });
  const view = viewOf(
    'totals',
    'thing',
    'events',
    ['key'],
    [
      { name: 'last_value', type: TYPES.float64, aggregation: { op: 'latest', column: 'value' } },
      { name: 'last_big', type: TYPES.int64, aggregation: { op: 'latest', column: 'big' } },
      {
        name: 'count_1h',
        type: TYPES.int64,
        aggregation: { op: 'count', column: null, windowMicros: 60 * MINUTE, hopMicros: 5 * MINUTE },
      },
      {
        name: 'mean_1h',
        type: TYPES.float64,
        aggregation: { op: 'mean', column: 'value', windowMicros: 60 * MINUTE, hopMicros: 5 * MINUTE },
      },
    ],
  );
  const boosted = onDemandOf('boosted', fields({ value: TYPES.float64 }), [
    { kind: 'request', name: 'request', columns: fields({ bonus: TYPES.float64 }) },
    { kind: 'view', name: 'totals', view: 'totals', keyColumns: ['id'] },
  ]);
  return manifestOf({
    entities: { thing: { name: 'thing', keys: fields({ id: TYPES.string }) } },
    sources: { events },
    views: { totals: view },
    onDemandViews: { boosted },
    services: {
      all: {
        name: 'all',
        members: [
          memberOf(view, { role: 'thing', keyColumns: ['id'] }),
          { kind: 'onDemand', role: 'boosted', view: 'boosted', features: ['value'] },
        ],
      },
    },
  });
}

const BOOST: UserFunction = (given: { request: { bonus: number | null }; totals: { last_value: number | null } }) => ({
  value:
    given.request.bonus === null || given.totals.last_value === null
      ? null
      : given.request.bonus + given.totals.last_value,
});

function depsFor(manifest: Manifest, boost: UserFunction = BOOST): OfflineDeps {
  return { ...world.deps, definitions: definitionsOf(manifest, world.directory, { 'onDemand/boosted': boost }) };
}

const inFolder = (name: string) => join(world.directory, name);

const requestFor = (more: Partial<TrainingSetRequest> = {}): TrainingSetRequest => ({
  service: 'all',
  spine: inFolder('spine.parquet'),
  timestamp: 'when',
  labels: ['label'],
  boundary: 'at',
  out: inFolder('out.parquet'),
  ...more,
});

async function writeInputs(): Promise<void> {
  await writeParquet(world.connection, inFolder('events.parquet'), COLUMNS, EVENTS);
  await writeParquet(world.connection, inFolder('spine.parquet'), SPINE, ROWS);
}

describe('createTrainingSet', () => {
  it('keeps the spine first and unchanged, and adds what was known at each row', async () => {
    await writeInputs();
    const record = await createTrainingSet(depsFor(manifestFor()), requestFor({ name: 'first' }));
    const rows = await readParquet(world.connection, record.path, [
      ...SPINE,
      ...fields({
        thing__last_value: TYPES.float64,
        thing__last_big: TYPES.int64,
        thing__count_1h: TYPES.int64,
        thing__mean_1h: TYPES.float64,
        boosted__value: TYPES.float64,
      }),
    ]);
    const early = { thing__last_value: 1, thing__last_big: 2n ** 53n + 1n, thing__count_1h: 1n, thing__mean_1h: 1 };
    expect(rows).toEqual([
      { ...ROWS[0], ...early, boosted__value: 1.5 },
      { ...ROWS[1], ...early, boosted__value: null },
      {
        ...ROWS[2],
        thing__last_value: 5,
        thing__last_big: 7n,
        thing__count_1h: 2n,
        thing__mean_1h: 3,
        boosted__value: 6,
      },
      {
        ...ROWS[3],
        thing__last_value: null,
        thing__last_big: null,
        thing__count_1h: 0n,
        thing__mean_1h: null,
        boosted__value: null,
      },
      {
        ...ROWS[4],
        thing__last_value: null,
        thing__last_big: null,
        thing__count_1h: null,
        thing__mean_1h: null,
        boosted__value: null,
      },
    ]);
    expect(
      await world.connection
        .runAndReadAll(`DESCRIBE SELECT * FROM '${record.path}'`)
        .then((described) => described.getRows().map(([name]) => name)),
    ).toEqual([
      'id',
      'when',
      'label',
      'bonus',
      'thing__last_value',
      'thing__last_big',
      'thing__count_1h',
      'thing__mean_1h',
      'boosted__value',
    ]);
  });

  it('records what it was made from, and reports the rows that match nothing', async () => {
    await writeInputs();
    const record = await createTrainingSet(depsFor(manifestFor()), requestFor({ name: 'first' }));
    expect(record).toMatchObject({
      name: 'first',
      service: 'all',
      rows: 5,
      firstMicros: 30 * MINUTE,
      lastMicros: 41 * MINUTE,
    });
    expect(record.sources[0]).toMatchObject({
      source: 'events',
      rows: 5,
      ignored: { nullTime: 1, nullKey: { totals: 1 } },
      pushed: null,
    });
    expect(record.sources[0]?.files[0]?.sha256).toBe(sha256Hex(await readFile(inFolder('events.parquet'))));
    expect(record.features.find(({ name }) => name === 'thing__count_1h')).toMatchObject({
      nullRate: 0.2,
      min: 0,
      max: 2,
    });
    expect(logged).toEqual([{ source: 'events', nullTime: 1, nullKey: { totals: 1 } }]);
    expect(await listTrainingSets(world.deps)).toEqual([record]);
    expect(await getTrainingSet(world.deps, 'first')).toEqual(record);
    expect(await getTrainingSet(world.deps, record.id.slice(0, 8))).toEqual(record);
    await expect(getTrainingSet(world.deps, 'other')).rejects.toMatchObject({ code: 'HR_UNKNOWN_TRAINING_SET' });
  });

  it('gives the same bytes and the same id for the same inputs', async () => {
    await writeInputs();
    const first = await createTrainingSet(depsFor(manifestFor()), requestFor());
    const second = await createTrainingSet(depsFor(manifestFor()), requestFor({ out: inFolder('again.parquet') }));
    expect(await readFile(second.path)).toEqual(await readFile(first.path));
    expect(second.id).toBe(first.id);
    expect(await listTrainingSets(world.deps)).toEqual([second]);
    await expect(
      createTrainingSet(depsFor(manifestFor()), requestFor({ out: inFolder('spine.parquet') })),
    ).rejects.toMatchObject({ code: 'HR_USAGE' });
  });

  it('reads CSV sources, CSV spines and queries', async () => {
    await writeFile(
      inFolder('events.csv'),
      'key,at,known,value,big\n007,1970-01-01T00:10:00.000001Z,1970-01-01 00:12:00,1.5,9007199254740993\n"",1970-01-01T02:10:00+02:00,,,\n',
    );
    await writeFile(
      inFolder('spine.csv'),
      'id,when,label,bonus\n007,1970-01-01T01:12:00+01:00,1,\n7,1970-01-01T00:12:00Z,1,\n',
    );
    const manifest = manifestFor({ kind: 'csv', location: { path: 'events.csv' } });
    const record = await createTrainingSet(depsFor(manifest), requestFor({ spine: inFolder('spine.csv') }));
    const feature = fields({ id: TYPES.string, thing__last_big: TYPES.int64 });
    expect(await readParquet(world.connection, record.path, feature)).toEqual([
      { id: '007', thing__last_big: 9007199254740993n },
      { id: '7', thing__last_big: null },
    ]);
    expect(record.sources[0]?.ignored).toEqual({ nullTime: 1, nullKey: { totals: 0 } });
    // Names are told apart without case: 1e2 is a text under ID, too, and no number.
    await writeFile(inFolder('capitals.csv'), 'ID,when,label,bonus\n1e2,1970-01-01T00:12:00Z,1,\n');
    const capitals = await createTrainingSet(depsFor(manifest), requestFor({ spine: inFolder('capitals.csv') }));
    const id = await readParquet(world.connection, capitals.path, fields({ ID: TYPES.string }));
    expect(id).toEqual([{ ID: '1e2' }]);
    const query = "SELECT '007' AS id, TIMESTAMP '1970-01-01 00:12:00' AS \"when\", 1 AS label, 0.5::DOUBLE AS bonus";
    const asked = await createTrainingSet(depsFor(manifest), requestFor({ spine: query }));
    expect((await readParquet(world.connection, asked.path, feature))[0]).toEqual({
      id: '007',
      thing__last_big: 9007199254740993n,
    });
  });

  it('names what is wrong with a spine', async () => {
    await writeInputs();
    const spineWith = async (sql: string) => createTrainingSet(depsFor(manifestFor()), requestFor({ spine: sql }));
    const base = `SELECT * FROM '${inFolder('spine.parquet')}'`;
    await expect(spineWith(`SELECT * EXCLUDE (id) FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringMatching(/no column "id".*key of view "totals"/),
    });
    await expect(spineWith(`SELECT * EXCLUDE (bonus) FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringMatching(/"bonus".*on-demand view "boosted"/),
    });
    await expect(spineWith(`SELECT * EXCLUDE (label) FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('a label'),
    });
    await expect(spineWith(`SELECT * EXCLUDE ("when") FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('the timestamp'),
    });
    await expect(spineWith(`SELECT *, 1 AS __hr_row FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('reserved'),
    });
    await expect(spineWith(`SELECT *, 1 AS thing__last_big FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('name of a feature'),
    });
    await expect(spineWith(`SELECT * REPLACE (true AS id) FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('must be string'),
    });
    await expect(spineWith('SELECT nonsense')).rejects.toMatchObject({ code: 'HR_SPINE' });
    await expect(spineWith(inFolder('absent.parquet'))).rejects.toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
  });

  it('names the value that is wrong in a spine, its column and its row', async () => {
    await writeInputs();
    const spineWith = async (spine: string) => createTrainingSet(depsFor(manifestFor()), requestFor({ spine }));
    const csv = async (name: string, lines: readonly string[]) => {
      await writeFile(inFolder(name), ['id,when,label,bonus', ...lines, ''].join('\n'));
      return await spineWith(inFolder(name));
    };
    const good = 'x,1970-01-01T00:30:00Z,1,0.5';
    await expect(csv('number.csv', [good, 'x,1970-01-01T00:30:00Z,1,much'])).rejects.toMatchObject({
      code: 'HR_SPINE',
      message:
        'the spine\'s column "bonus", row 2: "much" is no float64. Correct the value, or leave it empty for null.',
    });
    await expect(csv('time.csv', [good, 'x,noon,1,0.5'])).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('"when", row 2: "noon" is no timestamp'),
    });
    const base = `SELECT * FROM '${inFolder('spine.parquet')}'`;
    await expect(spineWith(`SELECT * REPLACE ('much' AS bonus) FROM (${base})`)).rejects.toMatchObject({
      code: 'HR_SPINE',
      message: expect.stringContaining('"bonus", row 1: "much" is no float64'),
    });
  });

  it('reads a spine of CSV that is compressed, by its name', async () => {
    await writeInputs();
    for (const [name, compression] of [
      ['spine.csv.gz', 'gzip'],
      ['spine.tsv.zst', 'zstd'],
    ] as const) {
      await world.connection.run(
        `COPY (FROM '${inFolder('spine.parquet')}') TO '${inFolder(name)}' (FORMAT csv, HEADER, COMPRESSION ${compression})`,
      );
      const made = await createTrainingSet(depsFor(manifestFor()), requestFor({ spine: inFolder(name) }));
      expect(made.rows, name).toBe(ROWS.length);
    }
  });

  it('takes no key from a float that has lost its last digits, as a DataFrame with nulls makes them', async () => {
    await writeFile(
      inFolder('events.csv'),
      'key,at,known,value,big\n9007199254740993,1970-01-01T00:10:00Z,1970-01-01T00:10:00Z,1.5,1\n',
    );
    const columns = COLUMNS.map((column) => (column.name === 'key' ? { ...column, type: TYPES.int64 } : column));
    const manifest = manifestFor({ kind: 'csv', location: { path: 'events.csv' }, columns });
    const keyed = { ...manifest, entities: { thing: { name: 'thing', keys: fields({ id: TYPES.int64 }) } } };
    const spineWith = (ids: string) =>
      createTrainingSet(
        depsFor(keyed),
        requestFor({
          spine: `SELECT unnest(${ids}) AS id, TIMESTAMP '1970-01-01 00:30:00' AS "when", 1 AS label, 0.5 AS bonus`,
        }),
      );
    const wrong = (told: string) => ({ code: 'HR_SPINE', message: expect.stringContaining(told) });
    await expect(spineWith('[1, 9007199254740993, NULL]::DOUBLE[]')).rejects.toMatchObject(
      wrong(
        'the spine\'s column "id", row 2: 9007199254740992.0 is a float64 past 2^53, which has lost its last digits',
      ),
    );
    await expect(spineWith('[16777217]::FLOAT[]')).rejects.toMatchObject(wrong('is a float32 past 2^24'));
    await expect(spineWith('[1, 2.5]::DOUBLE[]')).rejects.toMatchObject(wrong('"id", row 2: 2.5 is no int64'));
    await expect(spineWith('[1, 2.5]::DECIMAL(18,1)[]')).rejects.toMatchObject(wrong('"id", row 2: 2.5 is no int64'));
    // As a column of floats is written to CSV.
    const ofText = 'row 2: 9007199254740992.0 is a float past 2^53, which may have lost its last digits';
    await expect(spineWith("['1.0', '9007199254740992.0']")).rejects.toMatchObject(wrong(ofText));
    await expect(spineWith("['9.007199254740992e+15']")).rejects.toMatchObject(wrong('is a float past 2^53'));
    await expect(spineWith("['-9007199254740993.0']")).rejects.toMatchObject(wrong('is a float past 2^53'));
    expect((await spineWith("['1.0', '9007199254740993', '1e3', NULL]")).rows).toBe(4);
    const exact = await spineWith('[9007199254740991, -9007199254740991, NULL]::DOUBLE[]');
    expect(exact.rows).toBe(3);
    expect((await spineWith('[9007199254740993]::DECIMAL(18,1)[]')).rows).toBe(1);

    const text = 'key,at,known,value,big\n9007199254740992.0,1970-01-01T00:10:00Z,1970-01-01T00:10:00Z,1.5,1\n';
    await writeFile(inFolder('events.csv'), text);
    await expect(spineWith('[1]')).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringMatching(/column "key" of .*events\.csv holds "9007199254740992\.0", a float past 2\^53/),
    });
  });

  it('names what is wrong with a source, and leaves no half-written file', async () => {
    await writeInputs();
    const make = (source: Partial<SourceSpec>) => createTrainingSet(depsFor(manifestFor(source)), requestFor());
    await expect(make({ location: { path: 'nothing-*.parquet' } })).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringContaining('nothing-*.parquet'),
    });
    await expect(make({ columns: [...COLUMNS, ...fields({ vaule: TYPES.float64 })] })).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringMatching(/events\.parquet has no column "vaule".*"value"/),
    });
    await expect(
      make({
        columns: COLUMNS.map((column) => (column.name === 'value' ? { ...column, type: TYPES.timestamp } : column)),
      }),
    ).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringContaining('"value" is DOUBLE'),
    });
    // As a newer build may have left one in the registry.
    await expect(make({ kind: 'unheard-of' as SourceSpec['kind'] })).rejects.toMatchObject({ code: 'HR_UNSUPPORTED' });
    await writeFile(inFolder('broken.parquet'), 'PAR1 this is no parquet file at all PAR1');
    await expect(make({ location: { path: 'broken.parquet' } })).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringContaining('broken.parquet'),
    });
    await copyFile(inFolder('events.parquet'), inFolder('short.parquet'));
    await truncate(inFolder('short.parquet'), 200);
    await expect(make({ location: { path: 'short.parquet' } })).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringContaining('short.parquet'),
    });
    await writeFile(inFolder('wrong.csv'), 'key,at,known,value,big\nx,1970-01-01,1970-01-01,abc,1\n');
    await expect(make({ kind: 'csv', location: { path: 'wrong.csv' } })).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringMatching(/"value" of .*wrong\.csv holds "abc"/),
    });
    expect((await readdir(world.directory)).filter((name) => name.startsWith('out'))).toEqual([]);
  });

  it('reports what a user function threw, by the code of the catalogue', async () => {
    await writeInputs();
    const throwing: UserFunction = () => {
      throw new Error('no luck');
    };
    await expect(createTrainingSet(depsFor(manifestFor(), throwing), requestFor())).rejects.toMatchObject({
      code: 'HR_TRANSFORM_FAILED',
      message: expect.stringMatching(/boosted.*no luck/),
    });
    expect((await readdir(world.directory)).filter((name) => name.startsWith('out'))).toEqual([]);
  });
});

describe('a training set of a source with pushes', () => {
  /** `known` is the log's; the row has none of its own. */
  const pushed = (key: string, minutes: number, value: number, knownMinutes = minutes) => ({
    row: { key, at: minutes * MINUTE, known: null, value, big: null },
    knownMicros: knownMinutes * MINUTE,
  });
  const features = fields({ thing__last_value: TYPES.float64, thing__count_1h: TYPES.int64 });
  const values = async ({ path }: { readonly path: string }) =>
    (await readParquet(world.connection, path, features)).map((row) => Object.values(row));
  const push = async (writer: LogWriter, source: SourceSpec, ...rows: readonly PushedRow[]) =>
    writeCuts(writer, [{ batches: [{ source, rows }] }]);

  it('that keeps them has files and log, and names how far it read each writer', async () => {
    await writeInputs();
    const deps = depsFor(manifestFor({ pushes: 'keep' }));
    const source = deps.definitions.manifest.sources['events'] as SourceSpec;
    const none = await createTrainingSet(deps, requestFor({ name: 'files only' }));
    expect(none.sources[0]).toMatchObject({ boundaryMicros: null, pushed: null });
    const [first, second] = [await world.log.register(), await world.log.register()];
    await push(first, source, pushed('x', 25, 7), pushed('x', 25, 8, 30), pushed('x', 5, 2, 40));
    await push(first, source, pushed('y', 29, 9));
    await push(second, source, pushed('x', 25, 6, 30));
    // What is in no cut yet is not read.
    await first.append({ source, rows: [pushed('x', 29, 100)] });
    const record = await createTrainingSet(deps, requestFor());
    expect(record.sources[0]).toMatchObject({
      boundaryMicros: null,
      rows: EVENTS.length + 5,
      pushed: {
        rows: 5,
        writers: [
          { writer: first.writer, cut: 2 },
          { writer: second.writer, cut: 1 },
        ],
      },
    });
    expect(record.id).not.toBe(none.id);
    // The second writer's is the later of the two that tie.
    expect((await values(record)).slice(0, 4)).toEqual([
      [6, 4n],
      [6, 4n],
      [6, 6n],
      [null, 0n],
    ]);
    expect((await auditTrainingSet(deps, record.id)).isClean).toBe(true);
    await push(second, source, pushed('x', 26, 200));
    expect((await auditTrainingSet(deps, record.id)).isClean).toBe(true);
  });

  it('records how many pushed values their column’s type of now cannot say, and warns', async () => {
    await writeInputs();
    const deps = depsFor(manifestFor({ pushes: 'keep' }));
    const source = deps.definitions.manifest.sources['events'] as SourceSpec;
    const before = {
      ...source,
      columns: source.columns.map((column) => (column.name === 'value' ? { ...column, type: TYPES.string } : column)),
    };
    const old = (value: string | null) => {
      const { row, knownMicros } = pushed('x', 25, 0);
      return { row: { ...row, value }, knownMicros };
    };
    expect((await createTrainingSet(deps, requestFor())).sources[0]?.unconverted).toEqual({});
    const writer = await world.log.register();
    await push(writer, before, old('7.5'), old('much'), old('more'), old(null));
    await push(writer, source, pushed('y', 20, 1));
    const record = await createTrainingSet(deps, requestFor());
    expect(record.sources[0]).toMatchObject({ pushed: { rows: 5 }, unconverted: { value: 2 } });
    expect(await getTrainingSet(deps, record.id)).toEqual(record);
    expect(logged).toContainEqual({ source: 'events', unconverted: { value: 2 } });
    expect((await auditTrainingSet(deps, record.id)).isClean).toBe(true);
  });

  it('orders windows of rows that tie by their place in the log, after files, whatever they hold', async () => {
    await writeInputs();
    const op = (name: 'first' | 'last' | 'lastN') => ({
      name,
      type: name === 'lastN' ? ({ kind: 'list', of: TYPES.float64 } as const) : TYPES.float64,
      aggregation: { op: name, column: 'value', windowMicros: 60 * MINUTE, hopMicros: 5 * MINUTE, n: 9 },
    });
    const { sources, views, ...rest } = manifestFor({ pushes: 'keep', knownTime: { kind: 'after', micros: 0 } });
    const totals = { ...(views['totals'] as ViewSpec), features: [op('first'), op('last'), op('lastN')] };
    const members = [
      { kind: 'view', role: 'thing', view: 'totals', keyColumns: ['id'], features: ['first', 'last', 'lastN'] },
    ] as const;
    const manifest = {
      ...rest,
      sources,
      views: { totals },
      onDemandViews: {},
      services: { all: { name: 'all', members } },
    };
    const deps = depsFor(manifest);
    const source = sources['events'] as SourceSpec;
    await writeParquet(
      world.connection,
      inFolder('events.parquet'),
      COLUMNS,
      [7, 4].map((value) => ({ key: 'x', at: 20 * MINUTE, known: null, value, big: null })),
    );
    const [first, second] = [await world.log.register(), await world.log.register()];
    await push(second, source, ...[5, 2].map((value) => pushed('x', 20, value)));
    await push(first, source, ...[3, 9, 1].map((value) => pushed('x', 20, value)));
    const record = await createTrainingSet(deps, requestFor());
    const got = await readParquet(
      world.connection,
      record.path,
      fields({
        thing__first: TYPES.float64,
        thing__last: TYPES.float64,
        thing__lastN: { kind: 'list', of: TYPES.float64 },
      }),
    );
    expect(Object.values(got[0] ?? {})).toEqual([4, 2, [4, 7, 3, 9, 1, 5, 2]]);
    expect((await auditTrainingSet(deps, record.id)).isClean).toBe(true);
  });

  it('whose files get them later has the files up to their newest event, and the log past it', async () => {
    await writeInputs();
    const deps = depsFor(manifestFor());
    const source = deps.definitions.manifest.sources['events'] as SourceSpec;
    const writer = await world.log.register();
    const whole = await createTrainingSet(deps, requestFor());
    expect(whole.sources[0]).toMatchObject({ boundaryMicros: null, pushed: null });
    // Below the boundary, and so in the files: it changes nothing, not even the id.
    await push(writer, source, pushed('x', 20, 50, 21), pushed('x', 12, 60));
    const same = await createTrainingSet(deps, requestFor({ out: inFolder('same.parquet') }));
    expect(same.sources[0]).toMatchObject({
      boundaryMicros: 20 * MINUTE,
      rows: EVENTS.length,
      pushed: { rows: 0, writers: [{ writer: writer.writer, cut: 1 }] },
    });
    expect(same.id).toBe(whole.id);
    expect(await readFile(same.path)).toEqual(await readFile(whole.path));
    await push(writer, source, pushed('x', 21, 70), pushed('x', 19, 80));
    const more = await createTrainingSet(deps, requestFor({ out: inFolder('more.parquet') }));
    expect(more.sources[0]).toMatchObject({ rows: EVENTS.length + 1, pushed: { rows: 1 } });
    expect((await values(more)).slice(0, 3)).toEqual([
      [70, 2n],
      [70, 2n],
      [70, 3n],
    ]);
    const again = await createTrainingSet(deps, requestFor({ out: inFolder('again.parquet') }));
    expect(again.id).toBe(more.id);
    expect((await auditTrainingSet(deps, more.id)).isClean).toBe(true);

    // Rows out of order: so far back the log still counts, and the files don't.
    const late = depsFor(manifestFor({ completeAfterMicros: 3 * MINUTE }));
    const lagging = await createTrainingSet(late, requestFor({ out: inFolder('late.parquet') }));
    expect(lagging.sources[0]).toMatchObject({ boundaryMicros: 17 * MINUTE, pushed: { rows: 3 } });
    expect((await values(lagging)).slice(0, 1)).toEqual([[70, 4n]]);
    expect((await auditTrainingSet(late, lagging.id)).isClean).toBe(true);
  });

  it('without a file’s row to put a boundary at has the log alone, says so, and is audited by that', async () => {
    await writeInputs();
    const clock = { nowMicros: () => 1 };
    const deps = { ...depsFor(manifestFor({ completeAfterMicros: MINUTE })), clock };
    const record = await createTrainingSet(deps, requestFor());
    expect(record.sources[0]).toMatchObject({ boundaryMicros: null, isLogAlone: true, pushed: null });
    expect((await values(record)).slice(0, 1)).toEqual([[null, 0n]]);
    expect((await auditTrainingSet(deps, record.id)).isClean).toBe(true);
    // Without it the files count whole, which the same record would say but for that word.
    const whole = await createTrainingSet(
      { ...depsFor(manifestFor()), clock },
      requestFor({ out: inFolder('b.parquet') }),
    );
    expect(whole.sources[0]).toMatchObject({ boundaryMicros: null, isLogAlone: false, pushed: null });
    expect((await values(whole)).slice(0, 1)).not.toEqual([[null, 0n]]);
  });

  it('fails its audit where the log is no longer what it was', async () => {
    await writeInputs();
    const deps = depsFor(manifestFor({ pushes: 'keep' }));
    const source = deps.definitions.manifest.sources['events'] as SourceSpec;
    await push(await world.log.register(), source, pushed('x', 25, 7));
    const record = await createTrainingSet(deps, requestFor());
    const other = await eventLogWorld();
    const log = await other.open();
    const elsewhere = { ...deps, log, dataDirectory: inFolder('elsewhere') };
    await expect(auditTrainingSet(elsewhere, record.id)).rejects.toMatchObject({ code: 'HR_LOG_DAMAGED' });
    await push(await log.register(), source, pushed('x', 25, 7, 26));
    await expect(auditTrainingSet(elsewhere, record.id)).rejects.toMatchObject({
      code: 'HR_AUDIT_FAILED',
      message: expect.stringContaining('source "events": its log no longer holds'),
    });
    await other.remove();
  });
});

describe('the name of a training set', () => {
  it('means the newest that took it, which says from whom', async () => {
    await writeInputs();
    let now = 0;
    const deps = { ...depsFor(manifestFor()), clock: { nowMicros: () => ++now } };
    const older = await createTrainingSet(deps, requestFor({ name: 'spring' }));
    expect(older).not.toHaveProperty('nameTakenFrom');
    // The same inputs give the same set, whose name it is.
    expect(await createTrainingSet(deps, requestFor({ name: 'spring' }))).not.toHaveProperty('nameTakenFrom');
    const labels = requestFor({ name: 'spring', labels: [], out: inFolder('newer.parquet') });
    const newer = await createTrainingSet(deps, labels);
    expect(newer).toMatchObject({ name: 'spring', nameTakenFrom: older.id });
    expect((await getTrainingSet(deps, 'spring')).id).toBe(newer.id);
    expect(await getTrainingSet(deps, older.id)).toMatchObject({ name: 'spring' });
    expect(await createTrainingSet(deps, labels)).not.toHaveProperty('nameTakenFrom');
    expect(await createTrainingSet(deps, requestFor({ name: 'spring' }))).toMatchObject({ nameTakenFrom: newer.id });
  });

  it('is one: another one for the same set says which it had, and a name that is near is offered', async () => {
    await writeInputs();
    const deps = depsFor(manifestFor());
    const made = await createTrainingSet(deps, requestFor({ name: 'spring' }));
    expect(await createTrainingSet(deps, requestFor())).not.toHaveProperty('formerName');
    const again = await createTrainingSet(deps, requestFor({ name: 'summer' }));
    expect(again).toMatchObject({ id: made.id, name: 'summer', formerName: 'spring' });
    expect(await getTrainingSet(deps, 'summer')).not.toHaveProperty('formerName');
    await expect(getTrainingSet(deps, 'sumer')).rejects.toMatchObject({
      code: 'HR_UNKNOWN_TRAINING_SET',
      message: expect.stringContaining('"sumer". Did you mean "summer"?'),
    });
  });
});

describe('auditTrainingSet', () => {
  it('recomputes a sample and shows the newest fact used', async () => {
    await writeInputs();
    const deps = depsFor(manifestFor());
    const record = await createTrainingSet(deps, requestFor());
    expect(await auditTrainingSet(deps, record.id)).toEqual({
      id: record.id,
      isClean: true,
      rows: 5,
      sampled: 5,
      features: 5,
      notes: [],
      views: [
        {
          view: 'totals',
          keys: ['id'],
          facts: 4,
          nearest: { row: 2, known: '1970-01-01T00:40:00Z', at: '1970-01-01T00:41:00Z' },
        },
      ],
    });
  });

  it('fails on a set whose features were computed before they could be known', async () => {
    await writeInputs();
    const honest = depsFor(manifestFor());
    const record = await createTrainingSet(honest, requestFor());
    const leaky = depsFor(manifestFor({ knownTime: { kind: 'after', micros: 0 } }));
    const leak = await createTrainingSet(leaky, requestFor({ out: inFolder('leaky.parquet') }));
    // Planted with its own checksum, so that only the recomputation can tell.
    await saveTrainingSet(world.deps.database, {
      ...record,
      id: 'planted',
      path: leak.path,
      contentHash: leak.contentHash,
    });
    await expect(auditTrainingSet(honest, 'planted')).rejects.toMatchObject({
      code: 'HR_AUDIT_FAILED',
      message: expect.stringContaining('row 0, thing__last_value: got 5, expected 1'),
    });
    // Where the definitions changed since, differences are no wonder, and that is said first.
    await expect(auditTrainingSet(leaky, record.id)).rejects.toMatchObject({
      code: 'HR_AUDIT_FAILED',
      message: expect.stringMatching(
        /: the definitions changed since it was made .* so differences are expected\. row 0/,
      ),
      details: expect.arrayContaining([
        { path: 'definitions', message: expect.stringContaining(honest.definitions.hash.slice(0, 12)) },
      ]),
    });
    await copyFile(leak.path, record.path);
    await expect(auditTrainingSet(honest, record.id)).rejects.toMatchObject({
      code: 'HR_AUDIT_FAILED',
      details: expect.arrayContaining([
        { path: record.path, message: expect.stringContaining('changed') },
        { path: 'row 0, thing__last_value', message: expect.stringContaining('got 5, expected 1') },
      ]),
    });
  });

  it('fails when the file or a source was changed or is gone', async () => {
    await writeInputs();
    const deps = depsFor(manifestFor());
    const record = await createTrainingSet(deps, requestFor());
    await writeParquet(world.connection, inFolder('events.parquet'), COLUMNS, EVENTS.slice(1));
    await expect(auditTrainingSet(deps, record.id)).rejects.toMatchObject({
      code: 'HR_AUDIT_FAILED',
      message: expect.stringContaining('events.parquet'),
    });
    await writeFile(record.path, 'rubbish');
    await expect(auditTrainingSet(deps, record.id)).rejects.toMatchObject({
      code: 'HR_AUDIT_FAILED',
      message: expect.stringContaining('out.parquet'),
    });
  });
});
