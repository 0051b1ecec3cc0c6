// A profile: the sketches of a table's columns, which later data are held against. Kept as JSON; parts merge.

import type { DistinctSketch } from '../aggregation/index.ts';
import { addExactly, type DataType, type ExactTotal, roundTotal } from '../core/index.ts';
import {
  type ColumnSketch,
  type Countable,
  createColumnSketch,
  mergeColumns,
  type NumberSketch,
} from './column-sketch.ts';
import { packBuckets, type PackedBuckets, unpackBuckets } from './log-buckets.ts';
import { type ColumnSummary, summarize } from './summarize.ts';

export interface Profile {
  /** Rows that the columns are of. */
  readonly rows: number;
  /** Of so many rows the profile was made: fewer where it is of a sample. */
  readonly sampled: number;
  readonly columns: ReadonlyMap<string, ColumnSketch>;
}

/** What the whole would have given. Columns of one name are of one type; those that one lacks are the other's. */
export function mergeProfiles(a: Profile, b: Profile): Profile {
  const columns = new Map<string, ColumnSketch>();
  for (const { columns: own } of [a, b]) {
    for (const [name, sketch] of own) {
      let into = columns.get(name);
      if (into === undefined) columns.set(name, (into = createColumnSketch(sketch.type)));
      mergeColumns(into, sketch);
    }
  }
  return { rows: a.rows + b.rows, sampled: a.sampled + b.sampled, columns };
}

export function summarizeProfile({ columns }: Profile): ColumnSummary[] {
  return [...columns].map(([name, sketch]) => summarize(name, sketch));
}

interface PackedColumn {
  readonly name: string;
  readonly type: DataType;
  readonly rows: number;
  readonly nulls: number;
  /** Base64. */
  readonly distinct: string;
  /** By value; a whole number that no double holds as its digits. */
  readonly values: readonly (readonly [Exclude<Countable, bigint>, number])[] | null;
  readonly numbers: PackedNumbers | null;
}

interface PackedNumbers extends Pick<NumberSketch, 'nan' | 'infinite' | 'zeros' | 'total'> {
  readonly negative: PackedBuckets;
  readonly positive: PackedBuckets;
  readonly range: readonly [number, number] | null;
}

/** The same profile gives the same text, however it came about. */
export function profileToJson({ rows, sampled, columns }: Profile): string {
  return JSON.stringify({
    format: 1,
    rows,
    sampled,
    columns: [...columns].map(([name, sketch]) => pack(name, sketch)),
  });
}

export function profileFromJson(text: string): Profile {
  // profileToJson wrote it.
  const { rows, sampled, columns } = JSON.parse(text) as {
    readonly rows: number;
    readonly sampled: number;
    readonly columns: readonly PackedColumn[];
  };
  return { rows, sampled, columns: new Map(columns.map((packed) => [packed.name, unpack(packed)])) };
}

function pack(name: string, { type, rows, nulls, distinct, values, numbers }: ColumnSketch): PackedColumn {
  const sorted = values === null ? null : [...values].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const exact = sorted?.map(([value, times]) => [typeof value === 'bigint' ? String(value) : value, times] as const);
  return {
    name,
    type,
    rows,
    nulls,
    distinct: packDistinct(distinct),
    values: exact ?? null,
    numbers: numbers && packNumbers(numbers),
  };
}

function packNumbers({ nan, infinite, zeros, negative, positive, total, min, max }: NumberSketch): PackedNumbers {
  return {
    nan,
    infinite,
    zeros,
    total: canonicalTotal(total),
    negative: packBuckets(negative),
    positive: packBuckets(positive),
    range: min <= max ? [min, max] : null,
  };
}

function unpack({ type, rows, nulls, distinct, values, numbers }: PackedColumn): ColumnSketch {
  return {
    type,
    rows,
    nulls,
    distinct: unpackDistinct(distinct),
    values: values === null ? null : new Map(values.map(([value, times]) => [unpackValue(type, value), times])),
    numbers: numbers && {
      nan: numbers.nan,
      infinite: { ...numbers.infinite },
      zeros: numbers.zeros,
      total: { carry: numbers.total.carry, parts: [...numbers.total.parts] },
      negative: unpackBuckets(numbers.negative),
      positive: unpackBuckets(numbers.positive),
      min: numbers.range?.[0] ?? Infinity,
      max: numbers.range?.[1] ?? -Infinity,
    },
  };
}

function unpackValue({ kind }: DataType, value: Exclude<Countable, bigint>): Countable {
  return kind === 'int64' && typeof value === 'string' ? BigInt(value) : value;
}

const TOP = 2 ** 1023;

/**
 * The same total has many forms. Here always as many whole 2^1023 as there are, and of what is left, which has their sign, the
 * nearest double, then the nearest to what is left of it, and so on.
 */
function canonicalTotal(total: ExactTotal): ExactTotal {
  const { carry, parts } = withWholeCarry(total);
  const rest: ExactTotal = { carry: 0, parts };
  const own: number[] = [];
  while (rest.parts.length > 0) {
    const nearest = roundTotal(rest);
    own.unshift(nearest);
    addExactly(rest, -nearest);
  }
  return { carry, parts: own };
}

function withWholeCarry({ carry, parts }: ExactTotal): ExactTotal {
  const whole: ExactTotal = { carry, parts: [...parts] };
  for (;;) {
    const [next = 0, greatest = 0] = [whole.parts.at(-2), whole.parts.at(-1)];
    const sign = Math.sign(greatest);
    const size = Math.abs(greatest);
    // Parts are of different digits: the greatest has the sign of all, and is by less than its last digit from their sum.
    const isWhole = size > TOP || (size === TOP && Math.sign(next) !== -sign);
    if (!isWhole && (whole.carry === 0 || sign === 0 || sign === Math.sign(whole.carry))) return whole;
    const moved = isWhole ? sign : -Math.sign(whole.carry);
    addExactly(whole, -moved * TOP);
    whole.carry += moved;
  }
}

/** Registers that are not zero as pairs of place and rank while those are fewer. */
function packDistinct(sketch: DistinctSketch): string {
  const pairs: number[] = [];
  sketch.forEach((rank, register) => {
    if (rank > 0) pairs.push(register >> 8, register & 0xff, rank);
  });
  const isSparse = pairs.length < sketch.length;
  return `${isSparse ? 's' : 'd'}${Buffer.from(isSparse ? pairs : sketch).toString('base64')}`;
}

function unpackDistinct(text: string): DistinctSketch {
  const bytes = Buffer.from(text.slice(1), 'base64');
  if (text.startsWith('d')) return Uint8Array.from(bytes);
  const sketch = createColumnSketch({ kind: 'bool' }).distinct;
  for (let i = 0; i + 2 < bytes.length; i += 3) {
    sketch[((bytes[i] as number) << 8) | (bytes[i + 1] as number)] = bytes[i + 2] as number;
  }
  return sketch;
}
