// SQL text from values and types: DuckDB's names of our types, and casts that never change a value. DuckDB's own casts are wider than
// a push (0x10, 1_000, yes, epoch, 03/04/2024) or change a value in silence (1.5 to 2, 1e400 to an infinity, a zone left out).

import { type DataType, FIRST_TIME, LAST_TIME, microsOfTime, typeName, type Value } from '../../core/index.ts';
import { nodeDuckType, quoteText } from '../../storage/index.ts';
import { type Cast, formOf, isFar, plainCast, type Refusal, scalarText } from './text-casts.ts';

/** A value of a type that keys can have, not null. */
export function literalSql(type: DataType, value: Value): string {
  const base64 = (bytes: Uint8Array): string => `from_base64('${Buffer.from(bytes).toString('base64')}')`;
  switch (type.kind) {
    case 'timestamp':
      return `make_timestamp(${String(microsOfTime(value as number))})`;
    case 'bytes':
      return base64(value as Uint8Array);
    case 'string':
      // Any text, a NUL too.
      return `decode(${base64(Buffer.from(value as string))})`;
    default:
      return plainCast(quoteText(Object.is(value, -0) ? '-0' : String(value)), duckType(type));
  }
}

/** A TIMESTAMP as the double that it is as a value: core's `timeOfMicros` in SQL. */
export function timeNumberSql(expression: string): string {
  const micros = `epoch_us(${expression})`;
  const past = `(abs(${micros}) - ${2 ** 53})`;
  const mantissa = 2 ** 52;
  return (
    `CASE WHEN ${micros} BETWEEN ${-Number.MAX_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER} THEN CAST(${micros} AS DOUBLE) ` +
    `ELSE sign(${micros}) * CAST(${mantissa} + ${past} % ${mantissa} AS DOUBLE) * pow(2.0::DOUBLE, 8 + ${past} // ${mantissa}) END`
  );
}

/** DuckDB's type for ours. */
export function duckType(type: DataType): string {
  return String(nodeDuckType(type));
}

/**
 * `expression`, a column that has DuckDB type `from`, as a value of `type`; undefined when no cast keeps its meaning. A value that
 * can't be one of `type` is an error of the query. A text is taken as a push takes it: `badValueSql` lists the forms. A zone is turned
 * to UTC, nanoseconds are cut (not rounded) to microseconds, a fraction never becomes an integer, nor does a float that is too great
 * to tell one whole number from the next; an item of a list is cast as a value by itself.
 */
export function castSql(expression: string, from: string, type: DataType, times: Times = 'values'): string | undefined {
  const cast = castOf(from, type, times);
  return cast && checkedSql(cast, expression, type, `column ${expression}: `);
}

/**
 * Of a column of times, whether each must be one that a value can have ("values"), or may be one that leaves its row out of
 * everything, as an event time or a known time does: an infinity, or a time past the year 9999 ("any").
 */
export type Times = 'values' | 'any';

/** What is known of a value that `castSql` refuses. */
export interface BadValue {
  /** Whether a value that is not null is refused. */
  readonly isBad: string;
  /** A text that goes on after the value: " is no int64", say. */
  readonly why: string;
}

/**
 * Of values of `column`, an expression of DuckDB's type `from`; undefined where every value is taken, and where none is. Forms of
 * text: numbers in decimal, with an exponent or without (a whole number with a point or an exponent only up to 2^53), and NaN,
 * Infinity, -Infinity for floats; true and false in any case; times as ISO 8601 with a date of eight digits; base64.
 */
export function badValueSql(column: string, from: string, type: DataType): BadValue | undefined {
  const cast = castOf(from, type, 'values');
  if (cast === undefined) return undefined;
  const { refusals, fails } = cast;
  const failed = fails?.(column);
  const conditions = [...refusals.map(({ when }) => when(column)), ...(failed === undefined ? [] : [failed])];
  if (conditions.length === 0) return undefined;
  const cases = refusals.map(({ when, why }) => `WHEN ${when(column)} THEN ${quoteText(why)}`);
  const other = quoteText(` is no ${typeName(type)}${formOf(from, type)}`);
  return {
    isBad: `(${conditions.map((condition) => `coalesce(${condition}, false)`).join(' OR ')})`,
    why: cases.length === 0 ? other : `CASE ${cases.join(' ')} ELSE ${other} END`,
  };
}

/** SQL of `value`, which is of `type`, where the condition holds; null elsewhere. */
export const valueWhere = (condition: string, value: string, type: DataType): string =>
  caseSql(`WHEN ${condition} THEN `, value, type);

// DuckDB has no CASE of arrays of a fixed size, which vectors are, but one of lists.
function caseSql(branches: string, value: string, type: DataType): string {
  if (type.kind !== 'vector') return `CASE ${branches}${value} END`;
  return `CAST(CASE ${branches}CAST(${value} AS FLOAT[]) END AS ${duckType(type)})`;
}

function checkedSql({ value, usual, refusals }: Cast, expression: string, type: DataType, label: string): string {
  if (refusals.length === 0) return value(expression);
  const start = `${quoteText(label)} || left(CAST(${expression} AS VARCHAR), 100)`;
  const cases = refusals.map(({ when, why }) => `WHEN ${when(expression)} THEN error(${start} || ${quoteText(why)})`);
  const quick = usual === undefined ? '' : `WHEN ${usual.when(expression)} THEN ${usual.value(expression)} `;
  return caseSql(`${quick}${cases.join(' ')} ELSE `, value(expression), type);
}

function castOf(from: string, type: DataType, times: Times): Cast | undefined {
  if (from === 'VARCHAR') return textCast(type);
  switch (type.kind) {
    case 'bool':
      return from === 'BOOLEAN' ? SAME : undefined;
    case 'int32':
    case 'int64':
      if (from === duckType(type)) return SAME;
      return INTEGERS.has(from) ? plain(type) : wholeCast(from, type);
    case 'float32':
    case 'float64':
      if (from === duckType(type)) return SAME;
      return INTEGERS.has(from) || isFraction(from) ? floatCast(from, type) : undefined;
    case 'string':
      if (from === 'BLOB') return { value: (expression) => `decode(${expression})`, refusals: [] };
      return from === 'UUID' || from.startsWith('ENUM') || from === 'JSON' ? plain(type) : undefined;
    case 'bytes':
      return from === 'BLOB' ? SAME : undefined;
    case 'timestamp':
      return timeCast(from, times);
    case 'list':
    case 'vector':
      return listCast(from, type);
  }
}

const SAME: Cast = { value: (expression) => expression, refusals: [] };

const INTEGERS: ReadonlySet<string> = new Set([
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'HUGEINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'UHUGEINT',
]);

function isFraction(type: string): boolean {
  return type === 'FLOAT' || type === 'DOUBLE' || type.startsWith('DECIMAL');
}

/** DuckDB's own cast, which stops the query at a value past the type's range. */
function plain(type: DataType): Cast {
  const to = duckType(type);
  return {
    value: (expression) => plainCast(expression, to),
    refusals: [],
    fails: (expression) => `TRY_CAST(${expression} AS ${to}) IS NULL`,
  };
}

// DuckDB's own cast gives a neighbour of the nearest double where the digits are more than a double tells apart. A float32 is rounded
// from a double, as of a push.
function floatCast(from: string, type: DataType): Cast {
  const double = (expression: string): string =>
    plainCast(hasManyDigits(from) ? plainCast(expression, 'VARCHAR') : expression, 'DOUBLE');
  if (type.kind === 'float64') return { value: double, refusals: [] };
  const to = duckType(type);
  return {
    value: (expression) => plainCast(double(expression), to),
    refusals: [],
    fails: (expression) => `TRY_CAST(${double(expression)} AS ${to}) IS NULL`,
  };
}

function hasManyDigits(type: string): boolean {
  const [, digits] = /^DECIMAL\((\d+),/.exec(type) ?? [];
  return digits === undefined ? /^U?HUGEINT$/.test(type) : Number(digits) > 15;
}

// CAST rounds 1.5 to 2. And past the whole numbers that a float tells apart, an id is its neighbour's: 9007199254740993 became
// 9007199254740992 on its way (pandas makes a column with nulls so).
function wholeCast(from: string, type: DataType): Cast | undefined {
  if (!isFraction(from)) return undefined;
  const [name, digits] = from === 'FLOAT' ? ['float32', 24] : ['float64', 53];
  const lost: Refusal = {
    when: (expression) => `abs(${expression}) >= ${2 ** digits} AND isfinite(${expression})`,
    why: ` is a ${name} past 2^${digits}, which has lost its last digits: give whole numbers, or text`,
  };
  const fraction: Refusal = {
    when: (expression) => `${expression} <> trunc(${expression})`,
    why: ` is no ${typeName(type)}`,
  };
  // Decimals keep all digits.
  return { ...plain(type), refusals: from.startsWith('DECIMAL') ? [fraction] : [lost, fraction] };
}

const TIMES: ReadonlySet<string> = new Set([
  'TIMESTAMP',
  'TIMESTAMP WITH TIME ZONE',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'DATE',
]);

function timeCast(from: string, times: Times): Cast | undefined {
  if (from === 'TIMESTAMP_NS') {
    // The plain cast cuts towards zero, which before 1970 is towards the future. All of them are between the years 1677 and 2262.
    const value = (expression: string): string => {
      const nanos = `epoch_ns(${expression})`;
      const cut = `make_timestamp(${nanos} // 1000 - CASE WHEN ${nanos} % 1000 < 0 THEN 1 ELSE 0 END)`;
      return `CASE WHEN isfinite(${expression}) THEN ${cut} ELSE ${plainCast(expression, 'TIMESTAMP')} END`;
    };
    return { value, refusals: times === 'any' ? [] : [{ when: (e) => `NOT isfinite(${e})`, why: FAR_TIME }] };
  }
  if (!TIMES.has(from)) return undefined;
  const value = (expression: string): string =>
    from === 'TIMESTAMP' ? expression : plainCast(expression, 'TIMESTAMP');
  const far: Refusal = { when: (expression) => isFar(value(expression)), why: FAR_TIME };
  return { value, refusals: times === 'any' ? [] : [far] };
}

const FAR_TIME = ` is no timestamp: times go from ${FIRST_TIME} to ${LAST_TIME}`;

// A list of DuckDB's, whose items are of type `of`; a vector is one of as many items, none of which is null.
function listCast(from: string, type: Extract<DataType, { kind: 'list' | 'vector' }>): Cast | undefined {
  const [, item] = /^(.*)\[\d*\]$/.exec(from) ?? [];
  const cast = item === undefined ? undefined : castOf(item, itemType(type), 'values');
  if (cast === undefined) return undefined;
  if (from === duckType(type) && cast.refusals.length === 0) return SAME;
  return castOfItems(cast, type, (expression) => expression);
}

function itemType(type: Extract<DataType, { kind: 'list' | 'vector' }>): DataType {
  return type.kind === 'list' ? type.of : { kind: 'float32' };
}

/** `items` makes of an expression a list of DuckDB's, each of whose items `cast` takes. */
function castOfItems(
  cast: Cast,
  type: Extract<DataType, { kind: 'list' | 'vector' }>,
  items: (expression: string) => string,
): Cast {
  const to = duckType(type);
  const why = ` is no ${typeName(type)}`;
  // Named by depth: lists lie within lists.
  const name = `__hr_item${typeName(type).split('(').length}`;
  const some = (when: (item: string) => string) => (expression: string) =>
    `len(list_filter(${items(expression)}, lambda ${name}: ${when(name)})) > 0`;
  const refusals = cast.refusals.map(
    (refusal): Refusal => ({ when: some(refusal.when), why: `${why}: an item${refusal.why}` }),
  );
  if (type.kind === 'vector')
    refusals.push({
      when: (expression) =>
        `(len(${items(expression)}) <> ${type.size} OR list_count(${items(expression)}) <> ${type.size})`,
      why: `${why}: it has another number of items, or one that is null`,
    });
  const isPlain = cast.refusals.length === 0 && cast.value('x') === plainCast('x', duckType(itemType(type)));
  const cut = (expression: string): string => {
    const list = items(expression);
    return isPlain || cast.value('x') === 'x' ? list : `list_transform(${list}, lambda ${name}: ${cast.value(name)})`;
  };
  const { fails } = cast;
  return {
    value: (expression) => plainCast(cut(expression), to),
    refusals,
    ...(fails && { fails: some((item) => `${item} IS NOT NULL AND ${fails(item)}`) }),
  };
}

function textCast(type: DataType): Cast {
  if (type.kind !== 'list' && type.kind !== 'vector') return scalarText(type, duckType(type));
  const items = (text: string): string => `TRY_CAST(${text} AS VARCHAR[])`;
  const cast = castOfItems(textCast(itemType(type)), type, items);
  const isNone: Refusal = {
    when: (text) => `(${text} IS NOT NULL AND ${items(text)} IS NULL)`,
    why: ` is no ${typeName(type)}`,
  };
  return { ...cast, refusals: [isNone, ...cast.refusals] };
}
