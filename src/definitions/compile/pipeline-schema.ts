// The schema of pipelines in the manifest.

import { Type } from 'typebox';
import { ACTION_KINDS } from '../actions/action-kinds.ts';
import { about, anything, closed, fields, micros, text } from './schema-parts.ts';

const count = Type.Integer({ minimum: 1 });
const flag = Type.Optional(Type.Literal(true));
const optionalText = Type.Optional(text);

const foreach = Type.Union([
  Type.Object({ kind: Type.Literal('items'), items: Type.Array(anything) }, closed),
  Type.Object({ kind: Type.Literal('grid'), axes: Type.Record(text, Type.Array(anything)) }, closed),
  Type.Object({ kind: Type.Literal('range'), start: Type.Integer(), end: Type.Integer() }, closed),
  Type.Object({ kind: Type.Literal('result'), of: text }, closed),
]);

const delay = Type.Object(
  {
    delayMicros: Type.Integer({ minimum: 0 }),
    factor: Type.Number({ minimum: 1 }),
    maxMicros: micros,
    jitter: Type.Number({ minimum: 0, maximum: 1 }),
  },
  closed,
);

const pack = Type.Optional(count);

const executor = Type.Union([
  Type.Enum(['local', 'fleet']),
  Type.Object({ kind: Type.Literal('kubernetes'), namespace: text, image: text, pack, template: optionalText }, closed),
  Type.Object({ kind: Type.Literal('aws-batch'), queue: text, definition: text, pack }, closed),
]);

const secret = Type.Union([
  Type.Object({ env: text }, closed),
  Type.Object({ file: text }, closed),
  Type.Object({ secretKeyRef: Type.Object({ name: text, key: text }, closed) }, closed),
  Type.Object({ arn: text }, closed),
]);

const step = Type.Object(
  {
    name: text,
    action: Type.Union([...ACTION_KINDS.values()].map(({ schema }) => schema)),
    needs: Type.Record(text, text),
    foreach: Type.Optional(foreach),
    in: optionalText,
    when: optionalText,
    unless: optionalText,
    after: Type.Optional(Type.Literal('end')),
    retry: Type.Integer({ minimum: 0 }),
    delay: Type.Optional(delay),
    catch: flag,
    cache: flag,
    index: flag,
    timeoutMicros: Type.Union([micros, Type.Null()]),
    resources: Type.Object({ cpu: Type.Optional(Type.Number()), memory: optionalText }, closed),
    parallel: Type.Optional(count),
    pool: optionalText,
    isolate: flag,
    executor: Type.Optional(executor),
    env: Type.Optional(Type.Record(text, text)),
    secrets: Type.Optional(Type.Record(text, secret)),
  },
  closed,
);

const group = Type.Object({ name: text, foreach, in: optionalText, last: text }, closed);

const trigger = Type.Union([
  Type.Object({ kind: Type.Literal('materialized'), view: text }, closed),
  Type.Object(
    { kind: Type.Literal('pushed'), source: text, everyMicros: Type.Optional(Type.Integer({ minimum: 0 })) },
    closed,
  ),
  Type.Object({ kind: Type.Literal('drift'), endpoint: text }, closed),
]);

export const pipelineSchema = Type.Object(
  {
    ...about,
    name: text,
    schedule: optionalText,
    timezone: optionalText,
    catchUp: Type.Optional(Type.Enum(['all', 'none'])),
    concurrency: Type.Optional(count),
    overlap: Type.Optional(Type.Enum(['skip', 'cancel'])),
    on: Type.Optional(Type.Array(trigger)),
    params: fields,
    groups: Type.Optional(Type.Array(group, { minItems: 1 })),
    steps: Type.Array(step),
  },
  closed,
);
