// The log's columns as SQL: as a reader sees them, and typed, as Parquet and the tables of a segment hold them.

import { BOOLEAN, DOUBLE, type DuckDBType, INTEGER, LIST, VARCHAR } from '@duckdb/node-api';
import type { DataType, Field } from '../../core/index.ts';
import { nodeDuckType, quoteName, quoteText } from '../../storage/index.ts';
import { fieldsOf, type NamedSchema, type Section, SECTIONS } from './arm-schema.ts';
import type { DecodedRoute } from './record-route.ts';
import type { RecordKind } from './segments.ts';

/**
 * How a row came to its arm, the share of the sample that it is of, and whether an equal row's run answered it: null in logs of
 * before they were told.
 */
const ROUTE_COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['via', 'VARCHAR'],
  ['assigned', 'VARCHAR'],
  ['experiment', 'VARCHAR'],
  ['experiment_unit', 'VARCHAR'],
  ['phase', 'INTEGER'],
  ['revision', 'BIGINT'],
  ['fallback_from', 'VARCHAR'],
  ['sample_rate', 'DOUBLE'],
  ['cached', 'BOOLEAN'],
];
export const ROUTE_NAMES: readonly string[] = ROUTE_COLUMNS.map(([name]) => name);

const COLUMNS: Readonly<Record<RecordKind, readonly (readonly [name: string, type: string])[]>> = {
  predictions: [
    ['prediction_id', 'VARCHAR'],
    ['request_id', 'VARCHAR'],
    ['trace_id', 'VARCHAR'],
    ['predicted_at', 'TIMESTAMPTZ'],
    ['latency_micros', 'BIGINT'],
    ['endpoint', 'VARCHAR'],
    ['model', 'VARCHAR'],
    ['version', 'INTEGER'],
    ['variant', 'VARCHAR'],
    ['arm', 'VARCHAR'],
    ['unit', 'VARCHAR[]'],
    ['request', 'JSON'],
    ['features', 'JSON'],
    ['statuses', 'JSON'],
    ['outputs', 'JSON'],
    ['altered', 'JSON'],
    ...ROUTE_COLUMNS,
  ],
  outcomes: [
    ['prediction_id', 'VARCHAR'],
    ['endpoint', 'VARCHAR'],
    ['outcome', 'JSON'],
    ['observed_at', 'TIMESTAMPTZ'],
    ['recorded_at', 'TIMESTAMPTZ'],
  ],
  unit_outcomes: [
    ['endpoint', 'VARCHAR'],
    ['unit', 'VARCHAR[]'],
    ['from_at', 'TIMESTAMPTZ'],
    ['outcome', 'JSON'],
    ['observed_at', 'TIMESTAMPTZ'],
    ['recorded_at', 'TIMESTAMPTZ'],
  ],
};

/** The time that says which hour a record belongs to. */
export const HOUR_COLUMN: Readonly<Record<RecordKind, string>> = {
  predictions: 'predicted_at',
  outcomes: 'recorded_at',
  unit_outcomes: 'recorded_at',
};

/** `relation`, which has the columns as they are; those that a log of before had not are null. */
export function columnsSql(kind: RecordKind, relation: string, missing: readonly string[] = []): string {
  const columns = COLUMNS[kind].map(([name, type]) => `${missing.includes(name) ? 'NULL' : name}::${type} AS ${name}`);
  return `SELECT ${columns.join(', ')} FROM ${relation}`;
}

/** A relation without rows. */
export function emptySql(kind: RecordKind): string {
  return `SELECT ${COLUMNS[kind].map(([name, type]) => `NULL::${type} AS ${name}`).join(', ')} WHERE false`;
}

/** Of the outcomes that an endpoint was told for one prediction the one that was recorded last; its value decides where two servers recorded at the same microsecond. */
export const newestOutcome =
  'QUALIFY row_number() OVER (PARTITION BY prediction_id, endpoint ORDER BY recorded_at DESC, observed_at DESC, outcome::VARCHAR DESC) = 1';

/** The same of those that were told of one unit at one time. */
export const newestUnitOutcome =
  'QUALIFY row_number() OVER (PARTITION BY endpoint, unit, from_at, observed_at ORDER BY recorded_at DESC, outcome::VARCHAR DESC) = 1';

/** Of a prediction that was answered: what a shadow made of it has the shadow's version behind its id. */
export const IS_ANSWERED = "NOT contains(prediction_id, '~')";

export const sqlList = (texts: readonly string[]): string => `[${texts.map(quoteText).join(', ')}]`;

/** Parquet files of the same columns, for FROM. */
export const readFilesSql = (files: readonly { readonly path: string }[]): string =>
  `read_parquet(${sqlList(files.map(({ path }) => path))}, hive_partitioning = false)`;

/** Columns of the table that a schema's records are appended to: these, one a field (`v0`, …), the number of each feature's status (`s0`, …). */
export function flatColumns({ fields, schema }: NamedSchema): FlatColumn[] {
  return [
    { name: 'prediction_id', type: VARCHAR },
    { name: 'request_id', type: VARCHAR },
    { name: 'trace_id', type: VARCHAR },
    { name: 'predicted', type: DOUBLE },
    { name: 'latency', type: DOUBLE },
    { name: 'unit', type: LIST(VARCHAR) },
    { name: 'altered', type: VARCHAR },
    { name: 'route', type: INTEGER },
    { name: 'experiment_unit', type: VARCHAR },
    { name: 'sample_rate', type: DOUBLE },
    { name: 'cached', type: BOOLEAN },
    ...fields.map(({ type }, place) => ({ name: `v${place}`, type: nodeDuckType(flatType(type)) })),
    ...schema.featureFields.map((_, place) => ({ name: `s${place}`, type: INTEGER })),
  ];
}

export interface FlatColumn {
  readonly name: string;
  readonly type: DuckDBType;
}

/** Times are their microseconds there, vectors lists. */
function flatType(type: DataType): DataType {
  switch (type.kind) {
    case 'timestamp':
      return { kind: 'int64' };
    case 'vector':
      return { kind: 'list', of: { kind: 'float32' } };
    case 'list':
      return { kind: 'list', of: flatType(type.of) };
    default:
      return type;
  }
}

export interface PredictionTable {
  readonly named: NamedSchema;
  /** With `flatColumns`. */
  readonly table: string;
  /** Statuses by their number in the table. */
  readonly statuses: readonly string[];
  /** Routes by their number in the table. */
  readonly routes: readonly DecodedRoute[];
  readonly rows: number;
}

/** The typed relation of a schema, as its Parquet has it, from a table of `flatColumns`. */
export function typedSql({ named, table, statuses: names, routes }: PredictionTable): string {
  const { endpoint, model, version, variant, arm } = named.schema;
  let place = 0;
  const structs = SECTIONS.map((section) => {
    const values = fieldsOf(named.schema, section).map(({ type }) => typedValue(type, `v${place++}`));
    return `${structSql(named, section, values)} AS ${section}`;
  });
  const statuses = structSql(
    named,
    'features',
    named.schema.featureFields.map((_, feature) => `${sqlList(names)}[s${feature} + 1]`),
  );
  return `SELECT prediction_id, request_id, trace_id, ${microsSql('predicted')} AS predicted_at, latency::BIGINT AS latency_micros, \
${quoteText(endpoint)} AS endpoint, ${quoteText(model)} AS model, ${version}::INTEGER AS version, ${quoteText(variant)} AS variant, \
${quoteText(arm)} AS arm, unit, ${structs.join(', ')}, ${statuses} AS statuses, altered::JSON AS altered${named.hasRoutes ? `, ${routesSql(routes)}` : ''}${named.hasCached ? ', cached' : ''} FROM ${table}`;
}

// By a list for each column: a route's number is its place there.
function routesSql(routes: readonly DecodedRoute[]): string {
  const column = (name: string, type: string, of: (route: DecodedRoute) => string | number | null): string => {
    const values = routes.map((route) => {
      const value = of(route);
      return value === null ? 'NULL' : typeof value === 'string' ? quoteText(value) : String(value);
    });
    return `([${values.join(', ')}]::${type}[])[route + 1] AS ${name}`;
  };
  return [
    column('via', 'VARCHAR', ({ via }) => via),
    column('assigned', 'VARCHAR', ({ assigned }) => assigned),
    column('experiment', 'VARCHAR', ({ experiment }) => experiment),
    'experiment_unit',
    column('phase', 'INTEGER', ({ phase }) => phase),
    column('revision', 'BIGINT', ({ revision }) => revision),
    column('fallback_from', 'VARCHAR', ({ fallbackFrom }) => fallbackFrom),
    'sample_rate',
  ].join(', ');
}

const microsSql = (value: string): string => `make_timestamp(${value}::BIGINT) AT TIME ZONE 'UTC'`;

function typedValue(type: DataType, value: string): string {
  if (!holdsTime(type)) return value;
  if (type.kind !== 'list') return microsSql(value);
  return `list_transform(${value}, lambda i: ${typedValue(type.of, 'i')})`;
}

const holdsTime = (type: DataType): boolean => (type.kind === 'list' ? holdsTime(type.of) : type.kind === 'timestamp');

// A struct without members is none in DuckDB.
function structSql(named: NamedSchema, section: Section, values: readonly string[]): string {
  const names = structNames(named, section);
  return values.length === 0
    ? 'NULL::BOOLEAN'
    : `struct_pack(${values.map((value, i) => `${quoteName(names[i] as string)} := ${value}`).join(', ')})`;
}

/** Members of the struct: fields' names, with a number behind one that differs from an earlier one only by its case. */
export function structNames({ schema }: NamedSchema, section: Section): string[] {
  const taken = new Set<string>();
  return fieldsOf(schema, section).map(({ name }) => {
    let own = name;
    for (let n = 2; taken.has(own.toLowerCase()); n++) own = `${name}_${n}`;
    taken.add(own.toLowerCase());
    return own;
  });
}

/** The relation as a reader sees it, from the typed one. Needs `MACROS`. */
export function readableSql(named: NamedSchema, typed: string): string {
  const [request, features, outputs] = SECTIONS.map((section) => jsonObject(named, section));
  const texts = named.schema.featureFields.map(({ name }): Field => ({ name, type: { kind: 'string' } }));
  const has = (name: string): boolean => (name === 'cached' ? named.hasCached : named.hasRoutes);
  const routeColumns = ROUTE_COLUMNS.map(([name, type]) => (has(name) ? name : `NULL::${type} AS ${name}`)).join(', ');
  const statuses = jsonStruct('statuses', texts, structNames(named, 'features'));
  return `SELECT prediction_id, request_id, trace_id, predicted_at, latency_micros, endpoint, model, version, variant, arm, unit, \
${request} AS request, ${features} AS features, ${statuses} AS statuses, ${outputs} AS outputs, altered::JSON AS altered, ${routeColumns} FROM ${typed}`;
}

const jsonObject = (named: NamedSchema, section: Section): string =>
  jsonStruct(section, fieldsOf(named.schema, section), structNames(named, section));

/**
 * A struct as JSON with the fields' own names. One call for all members is a hundred times as quick to plan as one for each,
 * which counts where a log has many schemas; what JSON has not is put right in its text.
 */
function jsonStruct(column: string, fields: readonly Field[], members: readonly string[]): string {
  if (fields.length === 0) return `'{}'::JSON`;
  const valueOf = (at: number, kindOf: typeof jsonValue): string =>
    kindOf(fields[at]?.type as DataType, `${column}.${quoteName(members[at] as string)}`);
  if (fields.some(({ name }, at) => name !== members[at] || !/^\w+$/.test(name))) {
    return `json_object(${fields.map(({ name }, at) => `${quoteText(name)}, ${valueOf(at, jsonValue)}`).join(', ')})`;
  }
  const isPlain = fields.every(({ type }) => jsonMember(type, '') === '');
  const struct = isPlain
    ? column
    : `struct_pack(${members.map((name, at) => `${quoteName(name)} := ${valueOf(at, jsonMember)}`).join(', ')})`;
  return fields.some(({ type }) => isFloat(type)) ? `hr_json(to_json(${struct}))` : `to_json(${struct})`;
}

const isFloat = ({ kind }: DataType): boolean => kind === 'float32' || kind === 'float64';

// Of a number it is the text of the whole that is put right.
const jsonMember = (type: DataType, value: string): string => (isFloat(type) ? value : jsonValue(type, value));

/**
 * Values as Headrace's JSON has them: NaN is "NaN", a whole number has no point, times are RFC 3339, bytes base64. A quoted
 * name before a colon is a member's: within a text its quotes would be escaped.
 */
export const MACROS = [
  `CREATE OR REPLACE TEMP MACRO hr_json(x) AS regexp_replace(regexp_replace(x::VARCHAR, '("\\w+":)(NaN|-?Infinity)', '\\1"\\2"', 'g'),
     '("\\w+":-?\\d+)\\.0([,}])', '\\1\\2', 'g')::JSON`,
  `CREATE OR REPLACE TEMP MACRO hr_number(x) AS CASE WHEN x IS NULL THEN NULL WHEN isnan(x) THEN '"NaN"'::JSON
     WHEN isinf(x) THEN CASE WHEN x > 0 THEN '"Infinity"'::JSON ELSE '"-Infinity"'::JSON END
     WHEN x = trunc(x) AND abs(x) < 1e15 AND NOT (x = 0 AND signbit(x)) THEN to_json(x::BIGINT) ELSE to_json(x) END`,
  `CREATE OR REPLACE TEMP MACRO hr_time(x) AS CASE
     WHEN epoch_us(x) % 1000000 = 0 THEN strftime(make_timestamp(epoch_us(x)), '%Y-%m-%dT%H:%M:%SZ')
     WHEN epoch_us(x) % 1000 = 0 THEN strftime(make_timestamp(epoch_us(x)), '%Y-%m-%dT%H:%M:%S.%gZ')
     ELSE strftime(make_timestamp(epoch_us(x)), '%Y-%m-%dT%H:%M:%S.%fZ') END`,
];

function jsonValue(type: DataType, value: string): string {
  switch (type.kind) {
    case 'float32':
      return `hr_number(${value}::DOUBLE)`;
    case 'float64':
      return `hr_number(${value})`;
    case 'timestamp':
      return `hr_time(${value})`;
    case 'bytes':
      return `base64(${value})`;
    case 'vector':
      return `list_transform(${value}, lambda i: hr_number(i::DOUBLE))`;
    case 'list':
      return `list_transform(${value}, lambda i: ${jsonValue(type.of, 'i')})`;
    default:
      return value;
  }
}
