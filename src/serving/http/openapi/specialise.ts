// The native API's bodies with the user's own columns in them: the TypeBox schemas that the routes validate by, with typed
// rows where those know only "an object". So an option that a route learns is in the document without a second word.

import type { JsonSchema } from './value-schema.ts';

/** What stands in for a member of a body, by its name; of answers, for values and for whole columns. */
export type Members = Readonly<Record<string, (member: JsonSchema, isByColumn: boolean) => JsonSchema>>;

/** A copy of `schema` in which members are replaced wherever they stand. `isByColumn`: the member is in no array of rows. */
export function specialise(schema: object, members: Members): JsonSchema {
  let known = plain.get(schema);
  if (known === undefined) plain.set(schema, (known = JSON.parse(JSON.stringify(schema)) as JsonSchema));
  return walk(known, members, true);
}

// TypeBox marks its schemas in ways of its own; as JSON they are plain.
const plain = new WeakMap<object, JsonSchema>();

function walk(schema: JsonSchema, members: Members, isByColumn: boolean): JsonSchema {
  const copy: Record<string, unknown> = { ...schema };
  for (const word of ['anyOf', 'oneOf', 'allOf'] as const) {
    const options = schema[word];
    if (Array.isArray(options)) copy[word] = options.map((option) => walk(option as JsonSchema, members, isByColumn));
  }
  const { properties, items } = schema;
  if (isSchema(items)) copy['items'] = walk(items, members, false);
  if (isSchema(properties)) {
    copy['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, member]) => {
        const replace = Object.hasOwn(members, name) ? members[name] : undefined;
        // A schema's members are schemas.
        const own = member as JsonSchema;
        return [name, replace === undefined ? walk(own, members, isByColumn) : replace(own, isByColumn)];
      }),
    );
  }
  return copy;
}

function isSchema(value: unknown): value is JsonSchema {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
