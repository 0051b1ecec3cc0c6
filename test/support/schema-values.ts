// Values that a JSON Schema takes, as random as it lets them be: what a client may send that has only the document.

import fc from 'fast-check';

export type Schema = Readonly<Record<string, unknown>>;
export type Schemas = Readonly<Record<string, Schema>>;

/** Of the words that our documents use. `schemas`: what `#/components/schemas/…` refers to. */
export function valuesOf(schema: Schema, schemas: Schemas): fc.Arbitrary<unknown> {
  const { $ref, oneOf, anyOf, const: only, enum: among, type } = schema;
  if (typeof $ref === 'string') return valuesOf(schemas[$ref.split('/').at(-1) ?? ''] ?? {}, schemas);
  const options = (oneOf ?? anyOf) as readonly Schema[] | undefined;
  if (options !== undefined) return fc.oneof(...options.map((option) => valuesOf(option, schemas)));
  if ('const' in schema) return fc.constant(only);
  if (among !== undefined) return fc.constantFrom(...(among as readonly unknown[]));
  if (Array.isArray(type)) return fc.oneof(...type.map((one: string) => valuesOf({ ...schema, type: one }, schemas)));
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integers(schema);
    case 'number':
      return fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true, ...bounds(schema) }),
        fc.integer(safeBounds(schema)),
      );
    case 'string':
      return texts(schema);
    case 'array':
      return arrays(schema, schemas);
    case 'object':
      return objects(schema, schemas);
    default:
      return fc.jsonValue();
  }
}

function bounds({ minimum, maximum }: Schema): { readonly min?: number; readonly max?: number } {
  return {
    ...(minimum === undefined ? {} : { min: Number(minimum) }),
    ...(maximum === undefined ? {} : { max: Number(maximum) }),
  };
}

/** Of whole numbers among doubles, which are told one from the next up to 2^53. */
function safeBounds(schema: Schema): { readonly min?: number; readonly max?: number } {
  const { min = -(2 ** 31), max = 2 ** 31 - 1 } = bounds(schema);
  return { min: Math.max(min, Number.MIN_SAFE_INTEGER), max: Math.min(max, Number.MAX_SAFE_INTEGER) };
}

function integers(schema: Schema): fc.Arbitrary<unknown> {
  const { minimum, maximum } = schema;
  // A document that was parsed as usual has lost the last digits of 64-bit bounds.
  if (schema['format'] !== 'int64') return fc.integer(bounds(schema));
  const [min, max] = [minimum, maximum].map((bound) => BigInt(bound as number));
  return fc
    .bigInt({ min: min ?? 0n, max: max ?? 0n })
    .map((value) => BigInt.asIntN(64, value === 2n ** 63n ? value - 1n : value));
}

/** Times that a number of microseconds can tell, as the schema's description says. */
const TIMES = fc
  .date({ min: new Date('1685-01-01T00:00:00Z'), max: new Date('2024-12-31T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());

function texts(schema: Schema): fc.Arbitrary<string> {
  if (schema['format'] === 'date-time') return TIMES;
  const { pattern, minLength, maxLength } = schema;
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern));
  return fc.string({
    unit: 'grapheme',
    ...(minLength === undefined ? {} : { minLength: minLength as number }),
    maxLength: Math.min((maxLength as number | undefined) ?? 20, 20),
  });
}

function arrays(schema: Schema, schemas: Schemas): fc.Arbitrary<unknown> {
  const minLength = (schema['minItems'] as number | undefined) ?? 0;
  const maxLength = (schema['maxItems'] as number | undefined) ?? minLength + 3;
  return fc.array(valuesOf((schema['items'] as Schema | undefined) ?? {}, schemas), { minLength, maxLength });
}

function objects(schema: Schema, schemas: Schemas): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] as Schemas | undefined) ?? {});
  const required = (schema['required'] as readonly string[] | undefined) ?? [];
  const model = Object.fromEntries(properties.map(([name, member]) => [name, valuesOf(member, schemas)]));
  const own = fc.record(model, { requiredKeys: required as string[] });
  if (schema['additionalProperties'] === false) return own;
  const more = fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 2 });
  return fc.tuple(more, own).map(([others, row]) => ({ ...others, ...row }));
}
