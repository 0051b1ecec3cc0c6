// Random projects of one source of files, pushes beside them, one view and a spine: with the forms that files may have (CSV of odd
// spellings, folders by date), rules that set rows apart, and releases. And the training set that each should make.

import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import {
  type DataType,
  type Field,
  formatTimestamp,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  type Micros,
  parseTimestamp,
  type Row,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { releaseQuarantined } from '../../src/control/index.ts';
import type { Expectation, Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { type createTrainingSet, type OfflineDeps, quarantinedFileRows } from '../../src/offline/index.ts';
import { openQuarantine } from '../../src/checks/index.ts';
import { eventLogWorld } from './event-logs.ts';
import { definitionsOf, fields, latest, type OfflineWorld, TYPES, windowed } from './offline-world.ts';
import { oneView } from './one-view.ts';
import { oracleTrainingSet } from './oracle.ts';
import { countedRows, type PushedBatch, writePushes } from './pushed-rows.ts';
import { breaksValueRule, soundRows } from './quarantine-oracle.ts';

const { bool, int32, int64, float64, string, bytes, timestamp } = TYPES;
const LIST = { kind: 'list', of: int64 } as const;
const COLUMNS: readonly Field[] = [
  ...fields({ key: string, at: timestamp, known: timestamp, seq: int32, gone: bool, v: float64, n: int64, s: string }),
  ...fields({ until: timestamp, raw: bytes, tags: LIST }),
];
const SPINE = fields({ t: timestamp, id: string });

const [HOUR, MINUTE] = [MICROS_PER_HOUR, MICROS_PER_MINUTE];
const FEATURES = [
  ...['v', 'n', 's', 'until', 'raw', 'tags'].map((name) => latest(name, typeOf(name), name)),
  windowed('rows', int64, 'count', null, 100 * MINUTE, 10 * MINUTE),
  windowed('sum_v', float64, 'sum', 'v', HOUR, 15 * MINUTE),
  windowed('mean_v', float64, 'mean', 'v', 20 * MINUTE, 5 * MINUTE),
  windowed('sum_n', int64, 'sum', 'n', HOUR, 5 * MINUTE),
  windowed('max_v', float64, 'max', 'v', 20 * MINUTE, 5 * MINUTE),
  windowed('last_s', { kind: 'list', of: string }, 'lastN', 's', HOUR, 15 * MINUTE, 3),
  windowed('different_s', int64, 'countDistinct', 's', HOUR, 5 * MINUTE),
  windowed('first_n', int64, 'first', 'n', 30 * MINUTE, 5 * MINUTE),
];
/** Of a training set: the spine's columns and the features. */
export const SET_COLUMNS: readonly Field[] = [
  ...SPINE,
  ...FEATURES.map(({ name, type }) => ({ name: `v__${name}`, type })),
];

function typeOf(name: string): DataType {
  // Asked of declared columns alone.
  return (COLUMNS.find((column) => column.name === name) as Field).type;
}

// Around a midnight, and around the bounds of hops and windows.
const BASE = parseTimestamp('2001-09-10T00:00:00Z') as Micros;
const instant = fc
  .tuple(fc.integer({ min: -12, max: 12 }), fc.constantFrom(-1, 0, 0, 0, 1))
  .map(([minutes, micros]) => BASE + minutes * 5 * MINUTE + micros);
const nullable = <T extends Value>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null, freq: 6 });
const key = fc.constantFrom('x', 'x', 'x', 'y', '1', '');
const row = fc.record({
  key: nullable(key),
  at: nullable(instant),
  known: nullable(instant),
  seq: nullable(fc.integer({ min: 0, max: 2 })),
  gone: nullable(fc.constantFrom(false, false, false, true)),
  v: nullable(fc.constantFrom(0.1, 0.2, -0.3, 2, 9, 1e9, Number.NaN)),
  n: nullable(fc.constantFrom(7n, 0n, -3n, 2n ** 53n + 1n)),
  s: nullable(fc.constantFrom('x', 'é', '', '\uFEFFx', 'a,"b";\nc', ' 5 ', 'NULL')),
  until: nullable(
    fc.constantFrom('1969-12-31T23:59:59.999999Z', '2024-02-29T10:00:00Z', '9999-12-31T23:59:59.999999Z').map(timeOf),
  ),
  raw: nullable(fc.constantFrom(Uint8Array.of(), Uint8Array.of(0, 1), Uint8Array.of(255))),
  tags: nullable(fc.constantFrom<readonly Value[]>([], [1n, -2n], [2n ** 53n + 1n])),
});

function timeOf(text: string): Micros {
  return parseTimestamp(text) as Micros;
}

const valueRule = fc.constantFrom<Expectation>(
  { rule: 'between', column: 'v', min: -1, max: 5, onFail: 'quarantine' },
  { rule: 'between', column: 'n', min: null, max: 5, onFail: 'quarantine' },
  { rule: 'notNull', column: 's', onFail: 'quarantine' },
  { rule: 'oneOf', column: 'key', values: ['x', '1'], onFail: 'quarantine' },
  { rule: 'between', column: 'v', min: 5, max: 6, onFail: 'warn' },
);
const uniqueRule = fc.constantFrom<Expectation>(
  { rule: 'unique', columns: ['seq'], onFail: 'quarantine' },
  { rule: 'unique', columns: ['key', 'at'], onFail: 'quarantine' },
  { rule: 'unique', columns: ['s'], onFail: 'quarantine' },
  { rule: 'unique', columns: ['n'], onFail: 'warn' },
);
const rarely = <T>(weight: number, some: fc.Arbitrary<T>) =>
  fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: some });

/** What one cell or row of the files is made into that no source may have. */
type Spoil = 'a number' | 'a list' | 'a time' | 'a folder';

const files = fc.record({
  kind: fc.constantFrom('csv' as const, 'parquet' as const),
  /** By which units of time the folders are named. */
  folders: fc.constantFrom<readonly ('date' | 'hour')[]>([], ['date'], ['date', 'hour']),
  parts: fc.integer({ min: 1, max: 3 }),
  /** Of each row, so that each cell has another spelling. */
  spellings: fc.infiniteStream(fc.nat()),
  /** One in eight has something that must be refused. */
  spoiled: rarely(7, fc.constantFrom<Spoil>('a number', 'a list', 'a time', 'a folder')),
  spoiledRow: fc.nat(),
});
const source = fc.record({
  knownTime: fc.constantFrom<SourceSpec['knownTime']>(
    { kind: 'column', column: 'known' },
    { kind: 'column', column: 'known' },
    { kind: 'after', micros: 5 * MINUTE },
  ),
  hasCreated: fc.boolean(),
  hasTombstone: fc.boolean(),
  pushes: fc.constantFrom<SourceSpec['pushes']>('keep', 'until-materialized'),
  completeAfterMicros: fc.constantFrom(undefined, undefined, HOUR),
  valueRule: rarely(1, valueRule),
  uniqueRule: rarely(1, uniqueRule),
});
const view = fc.record({
  ttlMicros: fc.constantFrom(null, 0, 20 * MINUTE),
  schedule: fc.constantFrom(null, null, { everyMicros: 15 * MINUTE, lagMicros: 5 * MINUTE }),
});
const push = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 3 }),
  writer: fc.constantFrom(0, 1),
  knownMicros: instant,
  isVoid: fc.constantFrom(false, false, false, true),
  endsCut: fc.boolean(),
});

/** What a project is made of; the same for the same seed of `fc.sample`. */
export const randomProject = fc.record({
  files,
  source,
  view,
  rows: fc.array(row, { minLength: 1, maxLength: 30, size: 'max' }),
  /** Of them those that come once more. */
  repeated: fc.array(fc.nat(), { maxLength: 4 }),
  pushes: fc.array(push, { maxLength: 8 }),
  /** Releases of a share of what is set apart, of files and of pushes. */
  releases: fc.array(fc.record({ at: instant, share: fc.constantFrom(0.5, 1) }), { maxLength: 2 }),
  spine: fc.record({
    kind: fc.constantFrom('csv' as const, 'parquet' as const),
    rows: fc.array(fc.record({ t: nullable(instant), id: nullable(fc.oneof(key, fc.constant('nobody'))) }), {
      minLength: 1,
      maxLength: 15,
    }),
    boundary: fc.constantFrom('at' as const, 'before' as const),
    /** Of all times in CSV; each has another where it is left out. */
    spelling: rarely(1, fc.nat()),
  }),
});
export type RandomProject = typeof randomProject extends fc.Arbitrary<infer P> ? P : never;

/** A project as it lies on disk. */
export interface MadeProject {
  readonly deps: OfflineDeps;
  readonly request: Parameters<typeof createTrainingSet>[1];
  /** Whether something in it has to be refused, where it is read. */
  readonly isSpoiled: boolean;
  /** The set's rows, by the oracle; what is spoiled is left out of account. */
  readonly expected: readonly Row[];
  remove(): Promise<void>;
}

export async function makeProject(world: OfflineWorld, name: string, given: RandomProject): Promise<MadeProject> {
  const directory = world.path(name);
  const rows = [...given.rows, ...given.repeated.map((at) => ({ ...given.rows[at % given.rows.length] }))] as Row[];
  const manifest = manifestOf(given, directory);
  const events = manifest.sources['events'] as SourceSpec;
  const isSpoiled = await writeFiles(world, directory, given, rows);
  const logs = await eventLogWorld();
  const log = await logs.open();
  const deps: OfflineDeps = {
    ...world.deps,
    definitions: definitionsOf(manifest, directory),
    database: logs.database,
    log,
    dataDirectory: directory,
  };
  const releases = isSpoiled ? [] : given.releases.toSorted((a, b) => a.at - b.at);
  const batches = sortPushes(events, given.pushes as readonly PushedBatch[], releases);
  const pushed = await writePushes(log, events, batches);
  const released = await releaseFiles(deps, events, releases);
  const spine = join(directory, `spine.${given.spine.kind}`);
  await writeSpine(world, spine, given.spine);

  const sound = soundRows(events, rows, released);
  // Rows that are equal may be released at different times by different rules, so each is another row.
  const knownSince = new Map(
    sound.flatMap(({ row: one, knownMicros }) => (knownMicros === null ? [] : [[one, knownMicros] as const])),
  );
  for (const { rows: back, knownMicros, isPutBack } of batches)
    if (isPutBack === true) for (const one of back) knownSince.set(one, knownMicros);
  const counted = countedRows(
    events,
    sound.map(({ row: one }) => one),
    [...pushed.keys()],
  );
  const asked = given.spine.rows as readonly Row[];
  return {
    deps,
    request: {
      service: 's',
      spine,
      directory,
      timestamp: 't',
      labels: [],
      boundary: given.spine.boundary,
      out: join(directory, 'set.parquet'),
    },
    isSpoiled,
    expected: oracleTrainingSet(
      { manifest, rows: { events: counted }, pushed, released: knownSince },
      's',
      given.spine.kind === 'csv'
        ? asked.map((one) => ({ ...one, id: one['id'] === '' ? null : (one['id'] ?? null) }))
        : asked,
      't',
      given.spine.boundary,
    ),
    remove: () => logs.remove(),
  };
}

function manifestOf(
  { files: { kind, folders }, source: own, view: { ttlMicros, schedule } }: RandomProject,
  directory: string,
): Manifest {
  const { hasCreated, hasTombstone, knownTime, pushes, completeAfterMicros } = own;
  const expect = [own.valueRule, own.uniqueRule].filter((rule) => rule !== undefined);
  const path = join(directory, ...folders.map((unit) => `${unit}=*`), `part-*.${kind}`);
  return oneView(path, COLUMNS, {
    features: FEATURES,
    source: {
      kind,
      knownTime,
      pushes,
      ...(folders.length > 0 && { partitions: Object.fromEntries(folders.map((unit) => [unit, unit])) }),
      ...(completeAfterMicros !== undefined && { completeAfterMicros }),
      ...(hasCreated && { createdOrder: 'seq' }),
      ...(hasTombstone && { tombstone: 'gone' }),
      ...(expect.length > 0 && { expect }),
    },
    view: { ttlMicros, freshness: schedule === null ? { kind: 'live' } : { kind: 'scheduled', ...schedule } },
  });
}

/** Writes the rows into files; whether something in them must be refused. */
async function writeFiles(
  world: OfflineWorld,
  directory: string,
  { files: { kind, folders, parts, spellings, spoiled, spoiledRow } }: RandomProject,
  rows: readonly Row[],
): Promise<boolean> {
  const odd = [...spellings.take(rows.length)];
  const bad = spoiledRow % rows.length;
  const isMoved = spoiled === 'a folder' && folders.length > 0 && rows[bad]?.['at'] !== null;
  const byFile = Map.groupBy(rows.keys(), (i) => {
    const at = ((rows[i]?.['at'] ?? BASE) as Micros) + (isMoved && i === bad ? 24 * HOUR : 0);
    const [date = '', hour] = formatTimestamp(at).split(/[T:]/);
    const values = { date, hour };
    return join(...folders.map((unit) => `${unit}=${values[unit]}`), `part-${i % parts}.${kind}`);
  });
  for (const [name, places] of byFile) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    const spoil = spoiled === 'a folder' || !places.includes(bad) ? undefined : spoiled;
    if (kind === 'csv') {
      const lines = places.map((i) => {
        const own = COLUMNS.map(({ name: column, type }, c) =>
          spell(type, rows[i]?.[column] ?? null, (odd[i] ?? 0) + c),
        );
        if (spoil !== undefined && i === bad) own[columnOf(spoil)] = SPOILED_TEXTS[spoil];
        return own.join(',');
      });
      const header = COLUMNS.map(({ name: column }) => column).join(',');
      await writeFile(path, [header, ...lines, ''].join('\n'));
    } else {
      await world.put(
        path,
        COLUMNS,
        places.map((i) => rows[i] as Row),
      );
      if (spoil !== undefined) await spoilParquet(world, path, spoil, places.indexOf(bad));
    }
  }
  return spoiled === 'a folder' ? isMoved : spoiled !== undefined;
}

const SPOILED_COLUMNS = { 'a number': 'n', 'a list': 'tags', 'a time': 'until' } as const;
type SpoiledCell = keyof typeof SPOILED_COLUMNS;
const SPOILED_TEXTS = { 'a number': '1_000', 'a list': '"[1.5, 2.5]"', 'a time': 'infinity' } as const;
/** In Parquet: the column's type, and the value. */
const SPOILED_SQL = {
  'a number': ['DOUBLE', '1.5'],
  'a list': ['DOUBLE[]', '[1.5, 2.5]'],
  'a time': ['TIMESTAMP', "'infinity'"],
} as const;

const columnOf = (spoil: SpoiledCell): number => COLUMNS.findIndex(({ name }) => name === SPOILED_COLUMNS[spoil]);

async function spoilParquet(world: OfflineWorld, path: string, spoil: SpoiledCell, place: number): Promise<void> {
  const column = SPOILED_COLUMNS[spoil];
  const [type, value] = SPOILED_SQL[spoil];
  const cell = `CASE WHEN file_row_number = ${place} THEN CAST(${value} AS ${type}) ELSE CAST(${column} AS ${type}) END`;
  await world.select(
    `COPY (SELECT * EXCLUDE (file_row_number) REPLACE (${cell} AS ${column}) ` +
      `FROM read_parquet('${path}', file_row_number = true, hive_partitioning = false)) TO '${path}.spoiled' (FORMAT parquet)`,
  );
  await rename(`${path}.spoiled`, path);
}

/** A field of CSV: one of the spellings of a value. */
function spell(type: DataType, value: Value, choice: number): string {
  if (value === null) return '';
  const texts = type.kind === 'string' ? [value as string] : spellings(type, value);
  const text = texts[choice % texts.length] as string;
  // Without quotes nothing is a null.
  return type.kind === 'string' || text === '' || /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function spellings(type: DataType, value: Value): readonly string[] {
  switch (type.kind) {
    case 'bool':
      return value === true ? ['true', 'TRUE', 'True'] : ['false', 'FALSE', 'False'];
    case 'int32':
    case 'int64':
      return wholeSpellings(BigInt(value as number | bigint));
    case 'float64':
      return numberSpellings(value as number);
    case 'timestamp':
      return timeSpellings(value as Micros);
    case 'list':
      return [`[${(value as readonly Value[]).join(', ')}]`, `[${(value as readonly Value[]).join(',')}]`];
    default:
      return [String(toJson(type, value))];
  }
}

function wholeSpellings(value: bigint): readonly string[] {
  const [sign, digits] = value < 0n ? ['-', String(-value)] : ['', String(value)];
  const signed = [String(value), `${sign}00${digits}`, `${sign || '+'}${digits}`];
  // With a point it would be a float, which tells whole numbers apart up to 2^53.
  return digits.length > 15 ? signed : [...signed, `${value}.`, `${value}.0`, `${value}e0`];
}

function numberSpellings(value: number): readonly string[] {
  if (Number.isNaN(value)) return ['NaN'];
  const plain = String(value);
  return [plain, value.toExponential(), plain.replace(/^(-?)0\./, '$1.'), value < 0 ? plain : `+${plain}`];
}

/** Digits past the microsecond are cut. */
function timeSpellings(at: Micros): readonly string[] {
  const utc = formatTimestamp(at);
  const bare = utc.slice(0, -1);
  const [seconds = '', fraction = ''] = bare.split('.');
  const digits = fraction.padEnd(6, '0');
  const all = [
    utc,
    bare,
    bare.replace('T', ' '),
    `${bare}z`,
    ` ${utc} `,
    `${seconds}.${digits}999Z`,
    `${seconds},${digits}Z`,
  ];
  const later = at + 2 * HOUR;
  if (!Number.isSafeInteger(later)) return all;
  const east = formatTimestamp(later).slice(0, -1);
  return [...all, `${east}+02:00`, `${east.replace('T', ' ')} +0200`, `${bare}+00`];
}

/** Rows of pushes that a rule sets apart are not in the log, unless they are put back. */
function sortPushes(
  source: SourceSpec,
  pushes: readonly PushedBatch[],
  releases: RandomProject['releases'],
): readonly PushedBatch[] {
  const held: Row[] = [];
  const kept = pushes.map((batch) => {
    held.push(...batch.rows.filter((one) => breaksValueRule(source, one)));
    return { ...batch, rows: batch.rows.filter((one) => !breaksValueRule(source, one)) };
  });
  const back = releases.map(({ at, share }): PushedBatch => {
    const rows = held.splice(0, Math.ceil(held.length * share));
    return { rows, writer: 0, knownMicros: at, isVoid: false, isPutBack: true, endsCut: true };
  });
  return [...kept, ...back].filter(({ rows }) => rows.length > 0);
}

/** Releases rows of files as they lie there; gives when each was, by its content. */
async function releaseFiles(
  deps: OfflineDeps,
  source: SourceSpec,
  releases: RandomProject['releases'],
): Promise<ReadonlyMap<string, Micros>> {
  const released = new Map<string, Micros>();
  for (const { at, share } of releases) {
    const apart = await quarantinedFileRows(deps, source, 100);
    const chosen = apart.slice(0, Math.ceil(apart.length * share));
    if (chosen.length === 0) continue;
    for (const { row: text } of chosen) if (!released.has(text)) released.set(text, at);
    await releaseQuarantined(
      {
        offline: { ...deps, clock: { nowMicros: () => at } },
        quarantine: await openQuarantine(deps.database, { maxBytes: 1e6 }),
        ingestion: () => Promise.reject(new Error('no pushed row is in the quarantine')),
      },
      { source: source.name, ids: chosen.map(({ id }) => id), by: 'test', reason: null },
    );
  }
  return released;
}

async function writeSpine(
  world: OfflineWorld,
  path: string,
  { kind, rows, spelling }: RandomProject['spine'],
): Promise<void> {
  if (kind === 'parquet') {
    await world.put(path, SPINE, rows as readonly Row[]);
    return;
  }
  const lines = rows.map(({ t, id }, i) => `${spell(timestamp, t, spelling ?? i)},${spell(string, id, 0)}`);
  await writeFile(path, ['t,id', ...lines, ''].join('\n'));
}
