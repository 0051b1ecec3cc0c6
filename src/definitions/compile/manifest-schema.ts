// The manifest's schema. A compiled manifest is checked against it, and so is one that comes from the registry.

import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type ErrorDetail, HeadraceError } from '../../core/index.ts';
import type { Manifest } from '../manifest.ts';
import { graphSchema as graph } from './graph-schema.ts';
import { pipelineSchema as pipeline } from './pipeline-schema.ts';
import { about, anything, closed, dataType, field, fields, files, functionRef, micros, text } from './schema-parts.ts';

const asked = Type.Array(Type.Object({ ...field, isOptional: Type.Optional(Type.Literal(true)) }, closed));
const renamedFrom = Type.Optional(text);
const renamed = { renamedFrom, storedAs: Type.Optional(text) };

const entity = Type.Object({ ...about, ...renamed, name: text, keys: asked }, closed);

const onFail = Type.Enum(['warn', 'quarantine', 'fail']);
const expectation = Type.Union([
  Type.Object({ rule: Type.Literal('notNull'), column: text, onFail }, closed),
  Type.Object({ rule: Type.Literal('between'), column: text, min: anything, max: anything, onFail }, closed),
  Type.Object({ rule: Type.Literal('oneOf'), column: text, values: Type.Array(anything), onFail }, closed),
  Type.Object({ rule: Type.Literal('unique'), columns: Type.Array(text), onFail }, closed),
  Type.Object({ rule: Type.Literal('fresh'), withinMicros: micros, onFail }, closed),
  Type.Object(
    { rule: Type.Literal('rowCount'), min: Type.Optional(micros), max: Type.Optional(micros), onFail },
    closed,
  ),
]);
const expect = Type.Optional(Type.Array(expectation));

const source = Type.Object(
  {
    ...about,
    name: text,
    kind: Type.Enum([
      'parquet',
      'csv',
      'iceberg',
      'delta',
      'postgres',
      'mysql',
      'snowflake',
      'query',
      'kafka',
      'pushed',
    ]),
    location: Type.Record(text, text),
    columns: fields,
    derive: Type.Array(
      Type.Object(
        {
          name: text,
          type: dataType,
          by: Type.Union([
            Type.Object({ kind: Type.Literal('function'), function: functionRef }, closed),
            Type.Object({ kind: Type.Literal('sql'), sql: text }, closed),
          ]),
        },
        closed,
      ),
    ),
    eventTime: text,
    knownTime: Type.Union([
      Type.Object({ kind: Type.Literal('column'), column: text }, closed),
      Type.Object({ kind: Type.Literal('after'), micros }, closed),
    ]),
    createdOrder: Type.Optional(text),
    tombstone: Type.Optional(text),
    pushes: Type.Enum(['keep', 'until-materialized']),
    partitions: Type.Optional(Type.Record(text, Type.Enum(['date', 'year', 'month', 'day', 'hour']))),
    over: Type.Optional(Type.Array(Type.Object({ source: text, isStatic: Type.Boolean() }, closed))),
    completeAfterMicros: Type.Optional(micros),
    expect,
    files,
  },
  closed,
);

const aggregation = Type.Union([
  Type.Object({ op: Type.Literal('latest'), column: text }, closed),
  Type.Object(
    {
      op: Type.Enum([
        'count',
        'sum',
        'mean',
        'min',
        'max',
        'stddev',
        'variance',
        'first',
        'last',
        'lastN',
        'countDistinct',
      ]),
      column: Type.Union([text, Type.Null()]),
      windowMicros: micros,
      hopMicros: micros,
      n: Type.Optional(Type.Integer()),
    },
    closed,
  ),
]);

const view = Type.Object(
  {
    ...about,
    ...renamed,
    name: text,
    entity: text,
    source: text,
    keyColumns: Type.Array(text),
    ttlMicros: Type.Union([micros, Type.Null()]),
    features: Type.Array(Type.Object({ ...field, aggregation, description: Type.Optional(text), renamedFrom }, closed)),
    freshness: Type.Union([
      Type.Object({ kind: Type.Literal('live') }, closed),
      Type.Object({ kind: Type.Literal('scheduled'), everyMicros: micros, lagMicros: micros }, closed),
    ]),
    schedule: Type.Optional(text),
    timezone: Type.Optional(text),
    catchUp: Type.Optional(Type.Literal('none')),
    expect,
  },
  closed,
);

const onDemandView = Type.Object(
  {
    ...about,
    renamedFrom,
    name: text,
    inputs: Type.Array(
      Type.Union([
        Type.Object({ kind: Type.Literal('request'), name: text, columns: asked }, closed),
        Type.Object({ kind: Type.Literal('view'), name: text, view: text, keyColumns: Type.Array(text) }, closed),
        Type.Object({ kind: Type.Literal('onDemand'), name: text, view: text }, closed),
      ]),
    ),
    features: fields,
    transform: functionRef,
  },
  closed,
);

const service = Type.Object(
  {
    ...about,
    name: text,
    members: Type.Array(
      Type.Union([
        Type.Object(
          {
            kind: Type.Literal('view'),
            role: text,
            view: text,
            keyColumns: Type.Array(text),
            features: Type.Array(text),
          },
          closed,
        ),
        Type.Object({ kind: Type.Literal('onDemand'), role: text, view: text, features: Type.Array(text) }, closed),
      ]),
    ),
  },
  closed,
);

const model = Type.Object(
  {
    ...about,
    name: text,
    service: text,
    outputs: fields,
    providers: Type.Array(text),
    batch: Type.Optional(Type.Boolean()),
    graph: Type.Optional(graph),
  },
  closed,
);

const endpoint = Type.Object(
  {
    ...about,
    name: text,
    model: text,
    unit: Type.Array(text),
    rules: Type.Optional(
      Type.Array(Type.Object({ when: Type.Record(text, Type.Unknown()), variant: text }, closed), { minItems: 1 }),
    ),
    holdout: Type.Optional(Type.Object({ name: text, percent: Type.Number({ minimum: 0, maximum: 100 }) }, closed)),
    whenStoreDown: Type.Enum(['fail', 'defaults']),
    cache: Type.Optional(
      Type.Object(
        {
          ttlMicros: Type.Integer({ minimum: 1 }),
          maxBytes: Type.Integer({ minimum: 1 }),
          maxEntries: Type.Integer({ minimum: 1 }),
        },
        closed,
      ),
    ),
  },
  closed,
);

const metricPart = Type.Object(
  {
    values: Type.Union([
      Type.Object({ kind: Type.Literal('outcome'), endpoint: text }, closed),
      Type.Object({ kind: Type.Literal('output'), endpoint: text, output: text }, closed),
      Type.Object(
        {
          kind: Type.Literal('sql'),
          sql: text,
          over: Type.Array(Type.Object({ source: text, isStatic: Type.Boolean() }, closed)),
        },
        closed,
      ),
    ]),
    aggregate: Type.Optional(Type.Enum(['sum', 'mean', 'count', 'any'])),
    windowMicros: Type.Optional(micros),
  },
  closed,
);

const quantile = Type.Optional(Type.Number());
const metrics = Type.Array(
  Type.Object(
    {
      ...about,
      name: text,
      parts: Type.Array(metricPart, { minItems: 1, maxItems: 2 }),
      quantile,
      winsorize: Type.Optional(Type.Object({ lower: quantile, upper: quantile }, closed)),
      prePeriod: Type.Optional(metricPart),
      direction: Type.Enum(['up', 'down', 'none']),
      worth: Type.Number(),
    },
    closed,
  ),
);

const judged = { alpha: Type.Number(), correction: Type.Enum(['holm', 'bh']) };
const experiment = Type.Object(
  {
    ...about,
    name: text,
    unit: Type.Array(text, { minItems: 1 }),
    endpoints: Type.Array(text, { minItems: 1 }),
    arms: Type.Array(
      Type.Object({ name: text, version: Type.Union([Type.Integer(), text]), weight: Type.Number() }, closed),
      { minItems: 2 },
    ),
    control: text,
    namespace: Type.Optional(
      Type.Object({ name: text, range: Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }) }, closed),
    ),
    when: Type.Optional(Type.Record(text, anything)),
    metrics: Type.Object({ goal: metrics, secondary: metrics, guardrail: metrics }, closed),
    plan: Type.Union([
      Type.Object({ kind: Type.Literal('split'), ...judged }, closed),
      Type.Object({ kind: Type.Literal('bandit'), ...judged, everyMicros: micros, floor: Type.Number() }, closed),
    ]),
  },
  closed,
);

const rollout = Type.Object(
  {
    ...about,
    name: text,
    endpoint: text,
    steps: Type.Array(Type.Number(), { minItems: 1 }),
    holdMicros: micros,
    warmupMicros: micros,
    minUnits: Type.Integer({ minimum: 1 }),
    maxHoldMicros: micros,
    guards: Type.Array(text),
    onBlind: Type.Enum(['hold', 'rollback']),
    maturityMicros: micros,
    watchMicros: micros,
    cooldownMicros: micros,
    bakeMicros: micros,
  },
  closed,
);

const manifestSchema = Type.Object(
  {
    format: Type.Literal(1),
    project: text,
    entities: Type.Record(text, entity),
    sources: Type.Record(text, source),
    views: Type.Record(text, view),
    onDemandViews: Type.Record(text, onDemandView),
    services: Type.Record(text, service),
    models: Type.Record(text, model),
    endpoints: Type.Record(text, endpoint),
    pipelines: Type.Record(text, pipeline),
    experiments: Type.Optional(Type.Record(text, experiment)),
    rollouts: Type.Optional(Type.Record(text, rollout)),
  },
  closed,
);

const validator = Compile(manifestSchema);

/** The value as a manifest. Throws HR_DEFINITION with what does not fit the schema. */
export function checkManifest(value: unknown): asserts value is Manifest {
  if (validator.Check(value)) return;
  const details: ErrorDetail[] = [...validator.Errors(value)]
    .slice(0, 20)
    .map((error) => ({ path: error.instancePath, message: error.message }));
  const first = details[0];
  throw new HeadraceError(
    'HR_DEFINITION',
    `the manifest does not fit its schema: ${first?.path ?? ''} ${first?.message ?? ''}.`,
    { details },
  );
}
