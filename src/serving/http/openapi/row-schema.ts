// Rows as JSON Schema: what a request's row carries, column by column, and what an answer holds by name.

import type { AnsweredField, RequestColumn } from '../../catalogue.ts';
import { answeredSchema, exampleOf, type JsonSchema, orNull, sentSchema } from './value-schema.ts';

/** A row of a request, or of a push. */
export function rowSchema(columns: readonly RequestColumn[]): JsonSchema {
  const required = columns.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  const isComplete = required.length === columns.length;
  return {
    type: 'object',
    // A member that is no column is left out; where a column may be absent too, it is taken for a slip.
    additionalProperties: isComplete,
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(columns.map((column) => [column.name, columnSchema(column)])),
  };
}

function columnSchema(column: RequestColumn): JsonSchema {
  const schema = sentSchema(column.type);
  return {
    ...(column.isRequired ? schema : orNull(schema)),
    ...(column.description === '' ? {} : { description: column.description }),
    ...(column.default === undefined ? {} : { default: column.default }),
  };
}

/** An example of a row with every column. */
export function exampleRow(columns: readonly RequestColumn[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(columns.map(({ name, type, default: given }) => [name, given ?? exampleOf(type)]));
}

/** Values of an answer by name; every one may be null. */
export function valuesSchema(fields: readonly AnsweredField[]): JsonSchema {
  return namedSchema(fields, orNull);
}

/** The same where each is a list, a value a row. */
export function columnsSchema(fields: readonly AnsweredField[]): JsonSchema {
  return namedSchema(fields, (value) => ({ type: 'array', items: orNull(value) }));
}

function namedSchema(fields: readonly AnsweredField[], wrap: (value: JsonSchema) => JsonSchema): JsonSchema {
  const required = fields.filter(({ isAlways }) => isAlways).map(({ name }) => name);
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, wrap)])),
  };
}

function fieldSchema({ types, description }: AnsweredField, wrap: (value: JsonSchema) => JsonSchema): JsonSchema {
  const [first, ...others] = types.map(answeredSchema) as [JsonSchema, ...JsonSchema[]];
  const value = others.length === 0 ? first : { anyOf: [first, ...others] };
  return { ...wrap(value), ...(description === undefined ? {} : { description }) };
}
