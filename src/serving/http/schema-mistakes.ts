// What a schema refused, in the house's words: once for each place, what was expected and what came. A validator tells a value
// that fits none of several types once for each of them.

import { describe, didYouMeanOf, type ErrorDetail, noteMistake } from '../../core/index.ts';

/** An error of Ajv with `verbose`: what came and the schema that it was held against are in it. */
export interface SchemaError {
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly parentSchema?: unknown;
  readonly data?: unknown;
}

const LONGEST_NAME = 100;

/** In the order of `errors`; only the first MOST_MISTAKES are put into words. */
export function describeSchemaErrors(errors: readonly SchemaError[]): ErrorDetail[] {
  const mistakes: ErrorDetail[] = [];
  const seen = new Set<string>();
  for (const error of errors) {
    if (IN_UNION.test(error.schemaPath)) continue;
    const path = pathOf(error);
    if (seen.has(path)) continue;
    seen.add(path);
    noteMistake(mistakes, () => ({ path, message: wordsOf(error) }));
  }
  return mistakes;
}

/** Of one of a union's types: the union's own error is told. */
const IN_UNION = /\/anyOf\/\d/;

// `/outcomes/0/value` is `outcomes[0].value`, as in every other error.
function pathOf({ instancePath, params }: SchemaError): string {
  const path = instancePath
    .slice(1)
    .replace(/(^|\/)(\d+)(?=\/|$)/g, '[$2]')
    .replaceAll('/', '.');
  const member = params['missingProperty'] ?? params['additionalProperty'];
  if (member === undefined) return path === '' ? 'body' : path;
  const name = String(member).slice(0, LONGEST_NAME);
  return path === '' ? name : `${path}.${name}`;
}

function wordsOf({ keyword, params, parentSchema, data }: SchemaError): string {
  const schema = (parentSchema ?? {}) as Schema;
  if (keyword === 'required') return 'is missing';
  if (keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']).slice(0, LONGEST_NAME);
    return `is not a known member.${didYouMeanOf('members', name, Object.keys(schema.properties ?? {}))}`;
  }
  return `expected ${expectation(schema)}, got ${describeCame(data, schema)}`;
}

/** What the schemas of bodies are made of. */
interface Schema {
  readonly type?: string;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

function expectation(schema: Schema): string {
  if (schema.anyOf !== undefined) return listed(schema.anyOf.map(expectation));
  if (schema.enum !== undefined) return listed(schema.enum.map((value) => JSON.stringify(value)));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  switch (schema.type) {
    case 'integer':
      return `whole number${range(schema.minimum, schema.maximum)}`;
    case 'number':
      return `number${range(schema.minimum, schema.maximum)}`;
    case 'string': {
      const length = sizes(schema.minLength, schema.maxLength);
      const like = schema.pattern === undefined ? '' : ` like ${schema.pattern}`;
      return `text${length === '' ? '' : `${length} characters`}${like}`;
    }
    case 'array': {
      const length = sizes(schema.minItems, schema.maxItems);
      return `an array${length === '' ? '' : `${length} items`}`;
    }
    case 'object':
      return 'an object';
    default:
      return schema.type ?? 'another value';
  }
}

function range(from: number | undefined, to: number | undefined): string {
  if (from === undefined) return to === undefined ? '' : ` of at most ${to}`;
  return to === undefined ? ` of at least ${from}` : ` from ${from} to ${to}`;
}

const sizes = (from: number | undefined, to: number | undefined): string =>
  from === undefined || to === undefined ? range(from, to) : ` of ${from} to ${to}`;

const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

function describeCame(data: unknown, schema: Schema): string {
  // JSON has no infinity: its digits name a number that no double holds.
  if (data === Infinity || data === -Infinity) return 'a number past ±1.8e308';
  const came = describe(data);
  if (typeof data === 'string' && data.length > (schema.maxLength ?? Infinity))
    return `${came} of ${data.length} characters`;
  const takesNumbersAndText = ['number', 'string'].every((type) => schema.anyOf?.some((one) => one.type === type));
  return typeof data === 'bigint' && takesNumbersAndText ? `${came}: a whole number past 2^53 is sent as text` : came;
}
