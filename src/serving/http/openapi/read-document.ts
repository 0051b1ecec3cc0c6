// What a client knows of a server, read from its OpenAPI document: the way back from the schemas that row-schema.ts and
// value-schema.ts write.

import type { Api, ColumnTypes } from '../../../client/index.ts';
import { HeadraceError } from '../../../core/index.ts';

type Schema = Readonly<Record<string, unknown>>;

/** The API of a document, as JSON has it. Throws HR_SERVER_UNREACHABLE for what is no document of a Headrace server. */
export function apiOfDocument(document: unknown): Api {
  const { components, paths: byPath } = objectAt(document, '');
  const { schemas: byName } = objectAt(components, 'components');
  const schemas = objectAt(byName, 'components.schemas');
  const paths = Object.keys(objectAt(byPath, 'paths'));
  const columns = (name: string): ColumnTypes => columnsOf(objectAt(schemas[name], name), name);
  return {
    endpoints: named(paths, /^\/v1\/endpoints\/([^/{]+)\/predict$/, (name) => ({
      request: columns(`EndpointRow_${name}`),
      outputs: columns(`EndpointOutputs_${name}`),
      features: columns(`EndpointFeatures_${name}`),
    })),
    services: named(paths, /^\/v1\/services\/([^/{]+)\/read$/, (name) => ({
      request: columns(`ServiceRow_${name}`),
      features: columns(`ServiceFeatures_${name}`),
    })),
    sources: named(paths, /^\/v1\/sources\/([^/{]+)\/push$/, (name) => ({ columns: columns(`SourceRow_${name}`) })),
  };
}

function named<T>(paths: readonly string[], pattern: RegExp, of: (name: string) => T): Readonly<Record<string, T>> {
  const names = paths.map((path) => pattern.exec(path)?.[1]).filter((name) => name !== undefined);
  return Object.fromEntries(names.toSorted().map((name) => [name, of(name)]));
}

function columnsOf(schema: Schema, at: string): ColumnTypes {
  const { properties, required = [] } = schema;
  const always = new Set(required as readonly string[]);
  return Object.fromEntries(
    Object.entries(objectAt(properties, `${at}.properties`)).map(([name, column]) => {
      const type = typeOf(objectAt(column, `${at}.${name}`), `${at}.${name}`);
      return [name, always.has(name) ? type : `${type}?`];
    }),
  );
}

const TYPES_BY_NAME: Readonly<Record<string, string>> = {
  Int64: 'int64',
  AnsweredInt64: 'int64',
  Float32: 'float32',
  Float64: 'float64',
  Bytes: 'bytes',
  Timestamp: 'timestamp',
};

/** A column's type by its schema; `a|b` where versions differ. Descriptions are people's words, and not asked. */
function typeOf(schema: Schema, at: string): string {
  const { $ref: ref, anyOf: options, type: stated, items, minItems } = schema;
  if (typeof ref === 'string') {
    const known = ref.replace(/^.*\//, '');
    if (Object.hasOwn(TYPES_BY_NAME, known)) return TYPES_BY_NAME[known] as string;
  }
  if (Array.isArray(options)) {
    const types = options.map((one) => objectAt(one, at)).filter((one) => one['type'] !== 'null');
    return [...new Set(types.map((one) => typeOf(one, at)))].join('|');
  }
  const [type] = [stated].flat().filter((one) => one !== 'null');
  switch (type) {
    case 'boolean':
      return 'bool';
    case 'integer':
      return 'int32';
    case 'string':
      return 'string';
    case 'array': {
      // Items of a list may be null; a vector has none that are, and one length.
      const isVector = typeof minItems === 'number' && minItems === schema['maxItems'];
      return isVector ? `vector(${minItems})` : `list(${typeOf(objectAt(items, at), at)})`;
    }
    default:
      throw noDocument(`${at} is of no type that a column has`);
  }
}

function objectAt(value: unknown, at: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  throw noDocument(`${at === '' ? 'it' : at} is no object`);
}

function noDocument(why: string): HeadraceError {
  return new HeadraceError(
    'HR_SERVER_UNREACHABLE',
    `/openapi.json is not what a Headrace server of this version writes: ${why}. Is that its address?`,
  );
}
