// Parts that schemas of the manifest's objects share.

import { Type } from 'typebox';

export const text = Type.String();
export const micros = Type.Integer();
export const anything = Type.Unknown();
export const closed = { additionalProperties: false };

export const about = {
  description: Type.Optional(text),
  owner: Type.Optional(text),
  tags: Type.Optional(Type.Record(text, text)),
};

const simpleType = Type.Object(
  { kind: Type.Enum(['bool', 'int32', 'int64', 'float32', 'float64', 'string', 'bytes', 'timestamp']) },
  closed,
);
const vectorType = Type.Object({ kind: Type.Literal('vector'), size: Type.Integer({ minimum: 1 }) }, closed);
// Lists of lists of lists are as deep as it goes.
const list = (of: ReturnType<typeof Type.Union>) => Type.Object({ kind: Type.Literal('list'), of }, closed);
const flat = Type.Union([simpleType, vectorType]);
const nested = Type.Union([simpleType, vectorType, list(flat)]);
export const dataType = Type.Union([simpleType, vectorType, list(Type.Union([simpleType, vectorType, list(nested)]))]);

export const field = { name: text, type: dataType, default: Type.Optional(anything) };
export const fields = Type.Array(Type.Object(field, closed));

const sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
export const functionRef = Type.Object(
  { id: text, hash: sha256, bundle: Type.Optional(sha256), reads: Type.Optional(Type.Array(text)) },
  closed,
);

/** Of what travels. */
export const files = Type.Optional(Type.Array(Type.Object({ path: text, hash: sha256 }, closed)));
