// The schema of a model's graph in the manifest.

import { Type } from 'typebox';
import { about, anything, closed, fields, functionRef, text } from './schema-parts.ts';

const onFailure = Type.Optional(
  Type.Union([
    Type.Object({ kind: Type.Literal('skip') }, closed),
    Type.Object({ kind: Type.Literal('outputs'), values: Type.Array(anything) }, closed),
  ]),
);
const common = { ...about, name: text, outputs: fields, onFailure };
const inputs = Type.Array(
  Type.Union([
    Type.Object({ kind: Type.Literal('features'), name: text, features: fields }, closed),
    Type.Object({ kind: Type.Literal('node'), name: text, node: text }, closed),
  ]),
);

const node = Type.Union([
  Type.Object(
    {
      ...common,
      kind: Type.Literal('model'),
      model: text,
      inputs: Type.Record(
        text,
        Type.Union([
          Type.Object({ kind: Type.Literal('feature'), feature: text }, closed),
          Type.Object({ kind: Type.Literal('node'), node: text, output: text }, closed),
        ]),
      ),
      timeoutMs: Type.Optional(Type.Integer({ minimum: 1 })),
    },
    closed,
  ),
  Type.Object({ ...common, kind: Type.Literal('function'), inputs, function: functionRef }, closed),
  Type.Object(
    {
      ...common,
      kind: Type.Literal('ensemble'),
      members: Type.Array(text),
      by: Type.Enum(['mean', 'vote']),
      weights: Type.Optional(Type.Array(Type.Number())),
      minimum: Type.Integer({ minimum: 1 }),
    },
    closed,
  ),
  Type.Object(
    {
      ...common,
      kind: Type.Literal('router'),
      inputs,
      cases: Type.Array(Type.Object({ name: text, node: text }, closed)),
      function: functionRef,
    },
    closed,
  ),
]);

export const graphSchema = Type.Object({ nodes: Type.Array(node), output: text }, closed);
