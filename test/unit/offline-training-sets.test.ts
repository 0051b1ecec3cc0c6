// Training sets end to end on small files: what is checked, what is recorded, what an audit finds.

import { copyFile, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DataType, type Row, sha256Hex, type Value } from '../../src/core/index.ts';
import type { Manifest, SourceSpec, UserFunction, ViewSpec } from '../../src/definitions/index.ts';
import type { LogWriter, PushedRow } from '../../src/events/index.ts';
import {
  auditTrainingSet,
  getTrainingSet,
  listTrainingSets,
  type OfflineDeps,
  type TrainingSetRequest,
} from '../../src/offline/index.ts';
import { saveTrainingSet } from '../../src/offline/training-sets/training-set-store.ts';
import { eventLogWorld } from '../support/event-logs.ts';
import {
  fields,
  latest,
  manifestOf,
  memberOf,
  onDemandOf,
  oneView,
  sourceOf,
  TYPES,
  viewOf,
  windowed,
  worldOfEach,
  writeCuts,
} from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const MINUTE = 60_000_000;
const { string, timestamp, float64, int64, int32 } = TYPES;
const COLUMNS = fields({ key: string, at: timestamp, known: timestamp, value: float64, big: int64 });
const SPINE = fields({ id: string, when: timestamp, label: int32, bonus: float64 });

const logged: object[] = [];
const world = worldOfEach(logged);

const event = (
  key: string | null,
  at: number | null,
  known: number,
  value: number | null,
  big: bigint | null,
): Row => ({
  key,
  at: at === null ? null : at * MINUTE,
  known: known * MINUTE,
  value,
  big,
});
const EVENTS = [
  event('x', 10, 12, 1, 2n ** 53n + 1n),
  event('x', 20, 40, 5, 7n),
  event('y', 15, 15, null, null),
  event(null, 15, 15, 9, null),
  event('x', null, 15, 9, null),
];
const spineRow = (id: string | null, minutes: number, label: number, bonus: number | null): Row => ({
  id,
  when: minutes * MINUTE,
  label,
  bonus,
});
const ROWS = [
  spineRow('x', 30, 1, 0.5),
  spineRow('x', 30, 0, null),
  spineRow('x', 41, 0, 1),
  spineRow('nobody', 30, 0, 1),
  spineRow(null, 30, 0, 1),
];

function manifestFor(source: Partial<SourceSpec> = {}): Manifest {
  const known = { kind: 'column', column: 'known' } as const;
  const events = sourceOf('events', 'events*.parquet', COLUMNS, { knownTime: known, ...source });
  const over = [60 * MINUTE, 5 * MINUTE] as const;
  const view = viewOf(
    'totals',
    'thing',
    'events',
    ['key'],
    [
      latest('last_value', float64, 'value'),
      latest('last_big', int64, 'big'),
      windowed('count_1h', int64, 'count', null, ...over),
      windowed('mean_1h', float64, 'mean', 'value', ...over),
    ],
  );
  const boosted = onDemandOf('boosted', fields({ value: float64 }), [
    { kind: 'request', name: 'request', columns: fields({ bonus: float64 }) },
    { kind: 'view', name: 'totals', view: 'totals', keyColumns: ['id'] },
  ]);
  const members = [
    memberOf(view, { role: 'thing', keyColumns: ['id'] }),
    { kind: 'onDemand', role: 'boosted', view: 'boosted', features: ['value'] },
  ] as const;
  return manifestOf({
    entities: { thing: { name: 'thing', keys: fields({ id: string }) } },
    sources: { events },
    views: { totals: view },
    onDemandViews: { boosted },
    services: { all: { name: 'all', members } },
  });
}

const BOOST: UserFunction = (given: { request: { bonus: number | null }; totals: { last_value: number | null } }) => {
  const { bonus } = given.request;
  const last = given.totals.last_value;
  return { value: bonus === null || last === null ? null : bonus + last };
};

const depsFor = (manifest = manifestFor(), boost = BOOST): OfflineDeps =>
  world.depsOf(manifest, { 'onDemand/boosted': boost });
const make = (more: Partial<TrainingSetRequest> = {}, deps = depsFor()) =>
  world.train(deps, world.path('spine.parquet'), { service: 'all', labels: ['label'], ...more });
const madeOf = (spine: string) => make({ spine });
const read = (path: string, types: Readonly<Record<string, DataType>>) => world.read(path, fields(types));
const halfMade = async () => (await readdir(world.directory)).filter((name) => name.startsWith('out'));

async function writeInputs(): Promise<void> {
  logged.length = 0;
  await world.put('events.parquet', COLUMNS, EVENTS);
  await world.put('spine.parquet', SPINE, ROWS);
}

describe('createTrainingSet', () => {
  it('keeps the spine first and unchanged, and adds what was known at each row', async () => {
    await writeInputs();
    const { path } = await make({ name: 'first' });
    const features = {
      thing__last_value: float64,
      thing__last_big: int64,
      thing__count_1h: int64,
      thing__mean_1h: float64,
      boosted__value: float64,
    };
    const early = [1, 2n ** 53n + 1n, 1n, 1];
    const expected = [
      [...early, 1.5],
      [...early, null],
      [5, 7n, 2n, 3, 6],
      [null, null, 0n, null, null],
      [null, null, null, null, null],
    ];
    expect((await read(path, features)).map((row) => Object.values(row))).toEqual(expected);
    expect(await world.read(path, SPINE)).toEqual(ROWS);
    const described = await world.select(`DESCRIBE SELECT * FROM '${path}'`);
    expect(described.map(([name]) => name)).toEqual([...SPINE.map(({ name }) => name), ...Object.keys(features)]);
  });

  it('gives a vector of a source with deletions, and null where the newest row is one', async () => {
    const vector = { kind: 'vector', size: 2 } as const;
    const columns = fields({ key: string, at: timestamp, point: vector, gone: { kind: 'bool' } });
    const point = Float32Array.of(0.5, -1);
    const row = (key: string, gone: boolean): Row => ({ key, at: MINUTE, point, gone });
    await world.put('points.parquet', columns, [row('kept', false), row('gone', true)]);
    const source = sourceOf('points', 'points.parquet', columns, { tombstone: 'gone' });
    const manifest = oneView(source, viewOf('newest', 'one', 'points', ['key'], [latest('point', vector, 'point')]));
    const rows = ['kept', 'gone'].map((key) => ({ key, when: 2 * MINUTE }));
    const { path } = await world.train(manifest, [fields({ key: string, when: timestamp }), rows]);
    expect(await read(path, { newest__point: vector })).toEqual([{ newest__point: point }, { newest__point: null }]);
  });

  it('reads vectors and lists of a CSV spine', async () => {
    const [vector, words] = [{ kind: 'vector', size: 2 } as const, { kind: 'list', of: string } as const];
    const given = [{ kind: 'request', name: 'request', columns: fields({ point: vector, words }) }] as const;
    const manifest = manifestOf({
      onDemandViews: { sums: onDemandOf('sums', fields({ total: float64 }), given) },
      services: { s: { name: 's', members: [{ kind: 'onDemand', role: 'sums', view: 'sums', features: ['total'] }] } },
    });
    const sums: UserFunction = ({ request }: { request: { point: Float32Array; words: string[] } }) => ({
      total: request.point.reduce((sum, item) => sum + item, 0) + 100 * request.words.length,
    });
    const spine = world.path('spine.csv');
    await writeFile(spine, 'when,point,words\n2026-01-01,"[1.5, 2]","[x, y]"\n2026-01-01,"[-1, 0]",[]\n');
    const deps = world.depsOf(manifest, { 'onDemand/sums': sums });
    const { path, id } = await world.train(deps, spine);
    expect(await read(path, { sums__total: float64 })).toEqual([{ sums__total: 203.5 }, { sums__total: -1 }]);
    expect(await auditTrainingSet(deps, id)).toMatchObject({ isClean: true, notes: [] });
  });

  it('records what it was made from, and reports the rows that match nothing', async () => {
    await writeInputs();
    const record = await make({ name: 'first' });
    const times = { firstMicros: 30 * MINUTE, lastMicros: 41 * MINUTE };
    expect(record).toMatchObject({ name: 'first', service: 'all', rows: 5, ...times });
    const ignored = { nullTime: 1, nullKey: { totals: 1 } };
    expect(record.sources[0]).toMatchObject({ source: 'events', rows: 5, ignored, pushed: null });
    expect(record.sources[0]?.files[0]?.sha256).toBe(sha256Hex(await readFile(world.path('events.parquet'))));
    const count = record.features.find(({ name }) => name === 'thing__count_1h');
    expect(count).toMatchObject({ nullRate: 0.2, min: 0, max: 2 });
    expect(logged).toEqual([{ source: 'events', ...ignored }]);
    expect(await listTrainingSets(world.deps)).toEqual([record]);
    expect(await getTrainingSet(world.deps, 'first')).toEqual(record);
    expect(await getTrainingSet(world.deps, record.id.slice(0, 8))).toEqual(record);
    await refused(getTrainingSet(world.deps, 'other'), 'HR_UNKNOWN_TRAINING_SET');
  });

  it('gives the same bytes and the same id for the same inputs', async () => {
    await writeInputs();
    const first = await make();
    const second = await make({ out: world.path('again.parquet') });
    expect(await readFile(second.path)).toEqual(await readFile(first.path));
    expect(second.id).toBe(first.id);
    expect(await listTrainingSets(world.deps)).toEqual([second]);
    await refused(make({ out: world.path('spine.parquet') }), 'HR_USAGE');
  });

  it('may be made twice at once to one file, by processes of the same number', async () => {
    await writeInputs();
    const [first, second] = await Promise.all([make(), make()]);
    expect(second?.contentHash).toBe(first?.contentHash);
    expect(await halfMade()).toEqual(['out.parquet']);
  });

  it('reads CSV sources, CSV spines and queries', async () => {
    await writeFile(
      world.path('events.csv'),
      'key,at,known,value,big\n007,1970-01-01T00:10:00.000001Z,1970-01-01 00:12:00,1.5,9007199254740993\n"",1970-01-01T02:10:00+02:00,,,\n',
    );
    const deps = depsFor(manifestFor({ kind: 'csv', location: { path: 'events.csv' } }));
    const of = async (name: string, lines: string) => {
      await writeFile(world.path(name), lines);
      return make({ spine: world.path(name) }, deps);
    };
    const both = 'id,when,label,bonus\n007,1970-01-01T01:12:00+01:00,1,\n7,1970-01-01T00:12:00Z,1,\n';
    const record = await of('spine.csv', both);
    const big = { id: '007', thing__last_big: 9007199254740993n };
    const feature = { id: string, thing__last_big: int64 };
    expect(await read(record.path, feature)).toEqual([big, { id: '7', thing__last_big: null }]);
    expect(record.sources[0]?.ignored).toEqual({ nullTime: 1, nullKey: { totals: 0 } });
    // Names are told apart without case: 1e2 is a text under ID, too, and no number.
    const capitals = await of('capitals.csv', 'ID,when,label,bonus\n1e2,1970-01-01T00:12:00Z,1,\n');
    expect(await read(capitals.path, { ID: string })).toEqual([{ ID: '1e2' }]);
    const query = "SELECT '007' AS id, TIMESTAMP '1970-01-01 00:12:00' AS \"when\", 1 AS label, 0.5::DOUBLE AS bonus";
    expect(await read((await make({ spine: query }, deps)).path, feature)).toEqual([big]);
  });

  it.each([
    ['* EXCLUDE (id)', /no column "id".*key of view "totals"/],
    ['* EXCLUDE (bonus)', /"bonus".*on-demand view "boosted"/],
    ['* EXCLUDE (label)', 'a label'],
    ['* EXCLUDE ("when")', 'the timestamp'],
    ['*, 1 AS __hr_row', 'reserved'],
    ['*, 1 AS thing__last_big', 'name of a feature'],
    ['* REPLACE (true AS id)', 'must be string'],
    ["* REPLACE ('much' AS bonus)", '"bonus", row 1: "much" is no float64'],
    ['nonsense', ''],
  ])('names what is wrong with a spine of %s', async (columns, told) => {
    await writeInputs();
    await refused(madeOf(`SELECT ${columns} FROM '${world.path('spine.parquet')}'`), 'HR_SPINE', told);
  });

  it('names the value that is wrong in a spine, its column and its row; and the spine that is not there', async () => {
    await writeInputs();
    const csv = async (line: string) => {
      await writeFile(world.path('spine.csv'), `id,when,label,bonus\nx,1970-01-01T00:30:00Z,1,0.5\n${line}\n`);
      return await madeOf(world.path('spine.csv'));
    };
    const { message } = await refused(csv('x,1970-01-01T00:30:00Z,1,much'), 'HR_SPINE');
    expect(message).toBe(
      'the spine\'s column "bonus", row 2: "much" is no float64. Correct the value, or leave it empty for null.',
    );
    await refused(csv('x,noon,1,0.5'), 'HR_SPINE', '"when", row 2: "noon" is no timestamp');
    await refused(madeOf(world.path('absent.parquet')), 'HR_SOURCE_UNREADABLE');
  });

  it.each([
    ['spine.csv.gz', 'gzip'],
    ['spine.tsv.zst', 'zstd'],
  ])('reads a spine of CSV that is compressed, by its name: %s', async (name, compression) => {
    await writeInputs();
    const [from, to] = [world.path('spine.parquet'), world.path(name)];
    await world.select(`COPY (FROM '${from}') TO '${to}' (FORMAT csv, HEADER, COMPRESSION ${compression})`);
    expect((await madeOf(to)).rows).toBe(ROWS.length);
  });

  it('takes no key from a float that has lost its last digits, as a DataFrame with nulls makes them', async () => {
    const writeKey = (key: string) =>
      writeFile(
        world.path('events.csv'),
        `key,at,known,value,big\n${key},1970-01-01T00:10:00Z,1970-01-01T00:10:00Z,1.5,1\n`,
      );
    await writeKey('9007199254740993');
    const columns = COLUMNS.map((column) => (column.name === 'key' ? { ...column, type: int64 } : column));
    const manifest = manifestFor({ kind: 'csv', location: { path: 'events.csv' }, columns });
    const keyed = depsFor({ ...manifest, entities: { thing: { name: 'thing', keys: fields({ id: int64 }) } } });
    const of = (ids: string) =>
      make(
        { spine: `SELECT unnest(${ids}) AS id, TIMESTAMP '1970-01-01 00:30:00' AS "when", 1 AS label, 0.5 AS bonus` },
        keyed,
      );
    for (const [ids, told] of [
      [
        '[1, 9007199254740993, NULL]::DOUBLE[]',
        'the spine\'s column "id", row 2: 9007199254740992.0 is a float64 past 2^53, which has lost its last digits',
      ],
      ['[16777217]::FLOAT[]', 'is a float32 past 2^24'],
      ['[1, 2.5]::DOUBLE[]', '"id", row 2: 2.5 is no int64'],
      ['[1, 2.5]::DECIMAL(18,1)[]', '"id", row 2: 2.5 is no int64'],
      // As a column of floats is written to CSV.
      [
        "['1.0', '9007199254740992.0']",
        'row 2: 9007199254740992.0 is a float past 2^53, which may have lost its last digits',
      ],
      ["['9.007199254740992e+15']", 'is a float past 2^53'],
      ["['-9007199254740993.0']", 'is a float past 2^53'],
    ] as const)
      await refused(of(ids), 'HR_SPINE', told);
    for (const [ids, rows] of [
      ["['1.0', '9007199254740993', '1e3', NULL]", 4],
      ['[9007199254740991, -9007199254740991, NULL]::DOUBLE[]', 3],
      ['[9007199254740993]::DECIMAL(18,1)[]', 1],
    ] as const)
      expect((await of(ids)).rows, ids).toBe(rows);
    await writeKey('9007199254740992.0');
    const told = /column "key" of .*events\.csv holds "9007199254740992\.0", a float past 2\^53/;
    await refused(of('[1]'), 'HR_SOURCE_UNREADABLE', told);
  });

  it('names what is wrong with a source, and leaves no half-written file', async () => {
    await writeInputs();
    await writeFile(world.path('broken.parquet'), 'PAR1 this is no parquet file at all PAR1');
    await copyFile(world.path('events.parquet'), world.path('short.parquet'));
    await truncate(world.path('short.parquet'), 200);
    await writeFile(world.path('wrong.csv'), 'key,at,known,value,big\nx,1970-01-01,1970-01-01,abc,1\n');
    const timed = COLUMNS.map((column) => (column.name === 'value' ? { ...column, type: timestamp } : column));
    const at = (path: string) => ({ location: { path } });
    for (const [source, told] of [
      [at('nothing-*.parquet'), 'nothing-*.parquet'],
      [{ columns: [...COLUMNS, ...fields({ vaule: float64 })] }, /events\.parquet has no column "vaule".*"value"/],
      [{ columns: timed }, '"value" is DOUBLE'],
      [at('broken.parquet'), 'broken.parquet'],
      [at('short.parquet'), 'short.parquet'],
      [{ kind: 'csv', ...at('wrong.csv') }, /"value" of .*wrong\.csv holds "abc"/],
    ] as const)
      await refused(make({}, depsFor(manifestFor(source))), 'HR_SOURCE_UNREADABLE', told);
    // As a newer build may have left one in the registry.
    await refused(make({}, depsFor(manifestFor({ kind: 'unheard-of' as SourceSpec['kind'] }))), 'HR_UNSUPPORTED');
    expect(await halfMade()).toEqual([]);
  });

  it('reports what a user function threw, by the code of the catalogue', async () => {
    await writeInputs();
    const throwing: UserFunction = () => {
      throw new Error('no luck');
    };
    await refused(make({}, depsFor(manifestFor(), throwing)), 'HR_TRANSFORM_FAILED', /boosted.*no luck/);
    expect(await halfMade()).toEqual([]);
  });

  it('names the view and the key of a sum past int64', async () => {
    const add = (at: number) => event('x', at, at, null, 2n ** 62n);
    await world.put('events.parquet', COLUMNS, [add(10), add(11)]);
    const { sources } = manifestFor();
    const total = windowed('total', int64, 'sum', 'big', 60 * MINUTE, 5 * MINUTE);
    const summed = oneView(sources['events'] as SourceSpec, viewOf('totals', 'e', 'events', ['key'], [total]));
    const spine = `SELECT 'x' AS "key", TIMESTAMP '1970-01-01 00:30:00' AS "when"`;
    await refused(world.train(summed, spine), /./, /view "totals", key \(x\)/);
  });
});

describe('a training set of a source with pushes', () => {
  /** `known` is the log's; the row has none of its own. */
  const pushed = (key: string, minutes: number, value: Value, knownMinutes = minutes) => ({
    row: { key, at: minutes * MINUTE, known: null, value, big: null },
    knownMicros: knownMinutes * MINUTE,
  });
  const values = async ({ path }: { readonly path: string }, rows = 5) =>
    (await read(path, { thing__last_value: float64, thing__count_1h: int64 }))
      .slice(0, rows)
      .map((row) => Object.values(row));
  const push = async (writer: LogWriter, source: SourceSpec, ...rows: readonly PushedRow[]) =>
    writeCuts(writer, [{ batches: [{ source, rows }] }]);
  /** What makes sets of a source of this kind, and that source. */
  const open = async (more: Partial<SourceSpec> = {}) => {
    await writeInputs();
    const deps = depsFor(manifestFor(more));
    return { deps, source: deps.definitions.manifest.sources['events'] as SourceSpec };
  };
  const isClean = async (deps: OfflineDeps, { id }: { readonly id: string }) =>
    (await auditTrainingSet(deps, id)).isClean;

  it('that keeps them has files and log, and names how far it read each writer', async () => {
    const { deps, source } = await open({ pushes: 'keep' });
    const none = await make({ name: 'files only' }, deps);
    expect(none.sources[0]).toMatchObject({ boundaryMicros: null, pushed: null });
    const [first, second] = [await world.log.register(), await world.log.register()];
    await push(first, source, pushed('x', 25, 7), pushed('x', 25, 8, 30), pushed('x', 5, 2, 40));
    await push(first, source, pushed('y', 29, 9));
    await push(second, source, pushed('x', 25, 6, 30));
    // What is in no cut yet is not read.
    await first.append({ source, rows: [pushed('x', 29, 100)] });
    const record = await make({}, deps);
    const writers = [first, second].map(({ writer }, i) => ({ writer, cut: 2 - i }));
    const rows = EVENTS.length + 5;
    expect(record.sources[0]).toMatchObject({ boundaryMicros: null, rows, pushed: { rows: 5, writers } });
    expect(record.id).not.toBe(none.id);
    // The second writer's is the later of the two that tie.
    const expected = [6, 6, 6, null].map((value, i) => [value, [4n, 4n, 6n, 0n][i]]);
    expect(await values(record, 4)).toEqual(expected);
    expect(await isClean(deps, record)).toBe(true);
    await push(second, source, pushed('x', 26, 200));
    expect(await isClean(deps, record)).toBe(true);
  });

  it('records how many pushed values their column’s type of now cannot say, and warns', async () => {
    const { deps, source } = await open({ pushes: 'keep' });
    const columns = source.columns.map((column) => (column.name === 'value' ? { ...column, type: string } : column));
    const old = (value: string | null) => pushed('x', 25, value);
    expect((await make({}, deps)).sources[0]?.unconverted).toEqual({});
    const writer = await world.log.register();
    await push(writer, { ...source, columns }, old('7.5'), old('much'), old('more'), old(null));
    await push(writer, source, pushed('y', 20, 1));
    const record = await make({}, deps);
    expect(record.sources[0]).toMatchObject({ pushed: { rows: 5 }, unconverted: { value: 2 } });
    expect(await getTrainingSet(deps, record.id)).toEqual(record);
    expect(logged).toContainEqual({ source: 'events', unconverted: { value: 2 } });
    expect(await isClean(deps, record)).toBe(true);
  });

  it('orders windows of rows that tie by their place in the log, after files, whatever they hold', async () => {
    const list = { kind: 'list', of: float64 } as const;
    const { sources, views, ...rest } = manifestFor({ pushes: 'keep', knownTime: { kind: 'after', micros: 0 } });
    const features = (['first', 'last', 'lastN'] as const).map((op) =>
      windowed(op, op === 'lastN' ? list : float64, op, 'value', 60 * MINUTE, 5 * MINUTE, 9),
    );
    const totals = { ...(views['totals'] as ViewSpec), features };
    const members = [memberOf(totals, { role: 'thing', keyColumns: ['id'] })];
    const services = { all: { name: 'all', members } };
    const deps = depsFor({ ...rest, sources, views: { totals }, onDemandViews: {}, services });
    const source = sources['events'] as SourceSpec;
    await world.put('spine.parquet', SPINE, ROWS);
    await world.put('events.parquet', COLUMNS, [event('x', 20, 0, 7, null), event('x', 20, 0, 4, null)]);
    const [first, second] = [await world.log.register(), await world.log.register()];
    await push(second, source, ...[5, 2].map((value) => pushed('x', 20, value)));
    await push(first, source, ...[3, 9, 1].map((value) => pushed('x', 20, value)));
    const record = await make({}, deps);
    const [got = {}] = await read(record.path, { thing__first: float64, thing__last: float64, thing__lastN: list });
    expect(Object.values(got)).toEqual([4, 2, [4, 7, 3, 9, 1, 5, 2]]);
    expect(await isClean(deps, record)).toBe(true);
  });

  it('whose files get them later has the files up to their newest event, and the log past it', async () => {
    const { deps, source } = await open();
    const writer = await world.log.register();
    const to = (name: string, of = deps) => make({ out: world.path(`${name}.parquet`) }, of);
    const whole = await make({}, deps);
    expect(whole.sources[0]).toMatchObject({ boundaryMicros: null, pushed: null });
    // Below the boundary, and so in the files: it changes nothing, not even the id.
    await push(writer, source, pushed('x', 20, 50, 21), pushed('x', 12, 60));
    const same = await to('same');
    expect(same.sources[0]).toMatchObject({
      boundaryMicros: 20 * MINUTE,
      rows: EVENTS.length,
      pushed: { rows: 0, writers: [{ writer: writer.writer, cut: 1 }] },
    });
    expect(same.id).toBe(whole.id);
    expect(await readFile(same.path)).toEqual(await readFile(whole.path));
    await push(writer, source, pushed('x', 21, 70), pushed('x', 19, 80));
    const more = await to('more');
    expect(more.sources[0]).toMatchObject({ rows: EVENTS.length + 1, pushed: { rows: 1 } });
    expect(await values(more, 3)).toEqual([2n, 2n, 3n].map((count) => [70, count]));
    expect((await to('again')).id).toBe(more.id);
    expect(await isClean(deps, more)).toBe(true);

    // Rows out of order: so far back the log still counts, and the files don't.
    const late = depsFor(manifestFor({ completeAfterMicros: 3 * MINUTE }));
    const lagging = await to('late', late);
    expect(lagging.sources[0]).toMatchObject({ boundaryMicros: 17 * MINUTE, pushed: { rows: 3 } });
    expect(await values(lagging, 1)).toEqual([[70, 4n]]);
    expect(await isClean(late, lagging)).toBe(true);
  });

  it('without a file’s row to put a boundary at has the log alone, says so, and is audited by that', async () => {
    await writeInputs();
    const clock = { nowMicros: () => 1 };
    const deps = { ...depsFor(manifestFor({ completeAfterMicros: MINUTE })), clock };
    const record = await make({}, deps);
    expect(record.sources[0]).toMatchObject({ boundaryMicros: null, isLogAlone: true, pushed: null });
    expect(await values(record, 1)).toEqual([[null, 0n]]);
    expect(await isClean(deps, record)).toBe(true);
    // Without it the files count whole, which the same record would say but for that word.
    const whole = await make({ out: world.path('b.parquet') }, { ...depsFor(), clock });
    expect(whole.sources[0]).toMatchObject({ boundaryMicros: null, isLogAlone: false, pushed: null });
    expect(await values(whole, 1)).not.toEqual([[null, 0n]]);
  });

  it('fails its audit where the log is no longer what it was', async () => {
    const { deps, source } = await open({ pushes: 'keep' });
    await push(await world.log.register(), source, pushed('x', 25, 7));
    const { id } = await make({}, deps);
    const other = await eventLogWorld();
    onTestFinished(() => other.remove());
    const log = await other.open();
    const elsewhere = { ...deps, log, dataDirectory: world.path('elsewhere') };
    await refused(auditTrainingSet(elsewhere, id), 'HR_LOG_DAMAGED');
    await push(await log.register(), source, pushed('x', 25, 7, 26));
    await refused(auditTrainingSet(elsewhere, id), 'HR_AUDIT_FAILED', 'source "events": its log no longer holds');
  });
});

describe('the name of a training set', () => {
  it('means the newest that took it, which says from whom', async () => {
    await writeInputs();
    let now = 0;
    const deps = { ...depsFor(), clock: { nowMicros: () => ++now } };
    const spring = (more: Partial<TrainingSetRequest> = {}) => make({ name: 'spring', ...more }, deps);
    const older = await spring();
    expect(older).not.toHaveProperty('nameTakenFrom');
    // The same inputs give the same set, whose name it is.
    expect(await spring()).not.toHaveProperty('nameTakenFrom');
    const unlabelled = { labels: [], out: world.path('newer.parquet') };
    const newer = await spring(unlabelled);
    expect(newer).toMatchObject({ name: 'spring', nameTakenFrom: older.id });
    expect((await getTrainingSet(deps, 'spring')).id).toBe(newer.id);
    expect(await getTrainingSet(deps, older.id)).toMatchObject({ name: 'spring' });
    expect(await spring(unlabelled)).not.toHaveProperty('nameTakenFrom');
    expect(await spring()).toMatchObject({ nameTakenFrom: newer.id });
  });

  it('is one: another one for the same set says which it had, and a name that is near is offered', async () => {
    await writeInputs();
    const { id } = await make({ name: 'spring' });
    expect(await make()).not.toHaveProperty('formerName');
    expect(await make({ name: 'summer' })).toMatchObject({ id, name: 'summer', formerName: 'spring' });
    expect(await getTrainingSet(world.deps, 'summer')).not.toHaveProperty('formerName');
    await refused(getTrainingSet(world.deps, 'sumer'), 'HR_UNKNOWN_TRAINING_SET', '"sumer". Did you mean "summer"?');
  });
});

describe('auditTrainingSet', () => {
  it('recomputes a sample and shows the newest fact used', async () => {
    await writeInputs();
    const { id } = await make();
    const nearest = { row: 2, known: '1970-01-01T00:40:00Z', at: '1970-01-01T00:41:00Z' };
    const views = [{ view: 'totals', keys: ['id'], facts: 4, nearest }];
    const counts = { rows: 5, sampled: 5, features: 5 };
    expect(await auditTrainingSet(depsFor(), id)).toEqual({ id, isClean: true, ...counts, notes: [], views });
  });

  it('finds a spine by the path that it was made with, and says where it does not compare the set with it', async () => {
    await writeInputs();
    const [directory, spine] = [world.directory, 'spine.parquet'];
    const { id } = await make({ spine, directory });
    // The feature repository lies in a folder of its own.
    const { definitions } = depsFor();
    const deps = { ...depsFor(), definitions: { ...definitions, directory: world.path('feature_repo') } };
    const notesOf = async (set: string, from: string) => (await auditTrainingSet(deps, set, { directory: from })).notes;
    expect(await notesOf(id, directory)).toEqual([]);
    const unchecked = "so the set's times, keys and request columns were not compared with it";
    const gone = `no files at spine.parquet have the content of the spine that the set was made for, ${unchecked}`;
    expect(await notesOf(id, world.path('elsewhere'))).toEqual([gone]);
    await copyFile(world.path('events.parquet'), world.path('spine.parquet'));
    expect(await notesOf(id, directory)).toEqual([gone]);
    await writeInputs();
    const { id: asked } = await make({ spine: "SELECT * FROM 'spine.parquet'", directory });
    expect(await notesOf(asked, directory)).toEqual([`the spine was a query, ${unchecked}`]);
  });

  it('fails on a set whose features were computed before they could be known', async () => {
    await writeInputs();
    const honest = depsFor();
    const record = await make();
    const leaky = depsFor(manifestFor({ knownTime: { kind: 'after', micros: 0 } }));
    const { path, contentHash } = await make({ out: world.path('leaky.parquet') }, leaky);
    const audit = (deps: OfflineDeps, id: string, ...told: readonly (string | RegExp)[]) =>
      refused(auditTrainingSet(deps, id), 'HR_AUDIT_FAILED', ...told);
    const detail = (at: string, told: string) =>
      expect.arrayContaining([{ path: at, message: expect.stringContaining(told) }]);
    // Planted with its own checksum, so that only the recomputation can tell.
    await saveTrainingSet(world.deps.database, { ...record, id: 'planted', path, contentHash });
    await audit(honest, 'planted', 'row 0, thing__last_value: got 5, expected 1');
    // Where the definitions changed since, differences are no wonder, and that is said first.
    const since = /: the definitions changed since it was made .* so differences are expected\. row 0/;
    const changed = await audit(leaky, record.id, since);
    expect(changed.details).toEqual(detail('definitions', honest.definitions.hash.slice(0, 12)));
    await copyFile(path, record.path);
    const { details } = await audit(honest, record.id);
    expect(details).toEqual(detail(record.path, 'changed'));
    expect(details).toEqual(detail('row 0, thing__last_value', 'got 5, expected 1'));
  });

  it('fails when the file or a source was changed or is gone', async () => {
    await writeInputs();
    const { id, path } = await make();
    await world.put('events.parquet', COLUMNS, EVENTS.slice(1));
    await refused(auditTrainingSet(depsFor(), id), 'HR_AUDIT_FAILED', 'events.parquet');
    await writeFile(path, 'rubbish');
    await refused(auditTrainingSet(depsFor(), id), 'HR_AUDIT_FAILED', 'out.parquet');
  });
});
