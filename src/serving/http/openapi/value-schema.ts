// Types of columns as JSON Schema (2020-12), and an example of each: what a request may hold, and what an answer holds.

import { type DataType, typeName } from '../../../core/index.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The value of a request's column. Not null. */
export function sentSchema(type: DataType): JsonSchema {
  switch (type.kind) {
    case 'int64':
      return { $ref: '#/components/schemas/Int64' };
    case 'list':
      return { type: 'array', items: orNull(sentSchema(type.of)), description: typeName(type) };
    default:
      return plainSchema(type);
  }
}

/** The value of an answer. Not null. */
export function answeredSchema(type: DataType): JsonSchema {
  switch (type.kind) {
    case 'int64':
      return { $ref: '#/components/schemas/AnsweredInt64' };
    case 'list':
      return { type: 'array', items: orNull(answeredSchema(type.of)), description: typeName(type) };
    default:
      return plainSchema(type);
  }
}

export function orNull(schema: JsonSchema): JsonSchema {
  return typeof schema['type'] === 'string'
    ? { ...schema, type: [schema['type'], 'null'] }
    : { anyOf: [schema, { type: 'null' }] };
}

function plainSchema(type: DataType): JsonSchema {
  switch (type.kind) {
    case 'bool':
      return { type: 'boolean' };
    case 'int32':
      return { type: 'integer', format: 'int32', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    case 'float32':
    case 'float64':
      return { $ref: `#/components/schemas/${type.kind === 'float32' ? 'Float32' : 'Float64'}` };
    case 'bytes':
      return { $ref: '#/components/schemas/Bytes' };
    case 'timestamp':
      return { $ref: '#/components/schemas/Timestamp' };
    case 'vector':
      return {
        type: 'array',
        items: { $ref: '#/components/schemas/Float32' },
        minItems: type.size,
        maxItems: type.size,
        description: typeName(type),
      };
    default:
      return { type: 'string' };
  }
}

const SPECIAL = { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] };
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The greatest float32 that is finite. */
const MOST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/** What the schemas refer to, by name. Numbers past 2^53 are bigints. */
export const VALUE_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Int64: {
    description: 'A whole number of 64 bits, as a number with all its digits or as text',
    oneOf: [
      { type: 'integer', format: 'int64', minimum: INT64_MIN, maximum: INT64_MAX },
      { type: 'string', pattern: int64Pattern() },
    ],
  },
  AnsweredInt64: {
    description: 'A whole number of 64 bits, with all its digits; as text where the request has `X-Int64: string`',
    oneOf: [
      { type: 'integer', format: 'int64' },
      { type: 'string', pattern: '^-?[0-9]{1,19}$' },
    ],
  },
  Float32: {
    description: 'Rounded to 32 bits; not a number and the infinities are text',
    anyOf: [{ type: 'number', format: 'float', minimum: -MOST_FLOAT32, maximum: MOST_FLOAT32 }, SPECIAL],
  },
  Float64: {
    description: 'Not a number and the infinities are text',
    anyOf: [{ type: 'number', format: 'double' }, SPECIAL],
  },
  Bytes: {
    type: 'string',
    contentEncoding: 'base64',
    pattern: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$',
  },
  Timestamp: {
    type: 'string',
    format: 'date-time',
    description:
      'RFC 3339, in the years 1 to 9999; microseconds count, what is finer is cut. Event times and known times go from 1684-07-28 to 2255-06-05',
  },
};

/** Whole numbers from -2^63 to 2^63 - 1, without leading zeros. */
function int64Pattern(): string {
  const most = String(INT64_MAX);
  // One digit less than the greatest number, at each place where a number of as many digits can first be smaller.
  const below = [...most].flatMap((digit, at) => {
    const [least, rest] = [at === 0 ? 1 : 0, most.length - at - 1];
    if (Number(digit) <= least) return [];
    return [`${most.slice(0, at)}[${least}-${Number(digit) - 1}]${rest === 0 ? '' : `[0-9]{${rest}}`}`];
  });
  return `^(?:-?(?:0|[1-9][0-9]{0,${most.length - 2}}|${below.join('|')}|${most})|${INT64_MIN})$`;
}

/** A value of the type as JSON data, past as a time. */
export function exampleOf(type: DataType): unknown {
  switch (type.kind) {
    case 'bool':
      return true;
    case 'int32':
    case 'int64':
      return 7;
    case 'float32':
    case 'float64':
      return 1.5;
    case 'string':
      return 'text';
    case 'bytes':
      return 'AQID';
    case 'timestamp':
      return '2025-01-02T03:04:05Z';
    case 'list':
      return [exampleOf(type.of)];
    case 'vector':
      return Array.from({ length: type.size }, () => 0.5);
  }
}
