// The native API's bodies as TypeBox values: validation and the OpenAPI page come from the same line.

import Type from 'typebox';
import { orNull } from './or-null.ts';

/** Members beyond those named. */
const MORE = { additionalProperties: true } as const;

const JsonRow = Type.Object({}, { additionalProperties: true, description: 'Members by column name' });
const ByFeature = Type.Object({}, { additionalProperties: true, description: 'By full feature name' });

export const EndpointParams = Type.Object({ endpoint: Type.String() });
export const SourceParams = Type.Object({ source: Type.String() });
export const ServiceParams = Type.Object({ service: Type.String() });
export const ViewParams = Type.Object({ view: Type.String() });

export const Int64Header = Type.Object({
  'x-int64': Type.Optional(Type.Literal('string', { description: 'Each int64 of the answer as text' })),
});

export const PredictBody = Type.Object({
  inputs: Type.Array(JsonRow, { description: 'One row of request columns per prediction' }),
  options: Type.Optional(
    Type.Object(
      {
        return_features: Type.Optional(Type.Boolean()),
        partial: Type.Optional(
          Type.Boolean({ description: 'Each row stands alone: one that fails leaves its error in its place' }),
        ),
        return_timings: Type.Optional(Type.Boolean({ description: 'The answer tells where its time went' })),
      },
      { additionalProperties: false },
    ),
  ),
});

export const Prediction = Type.Object({
  prediction_id: Type.String(),
  outputs: Type.Object({}, { additionalProperties: true, description: 'By output name' }),
  model: Type.String(),
  version: Type.Integer(),
  variant: Type.String(),
  fallback_from: Type.Optional(
    Type.String({ description: 'The variant that it was assigned to, while this server can not load it' }),
  ),
  features: Type.Optional(ByFeature),
  statuses: Type.Optional(ByFeature),
});

export const FailedRow = Type.Object(
  {
    error: Type.Object({
      code: Type.String(),
      detail: Type.String(),
      path: Type.String({ description: 'Such as `inputs[2].amount`' }),
    }),
  },
  { description: 'With `options.partial`: in the place of a row that failed' },
);

const milliseconds = Type.Number({ minimum: 0 });
const counted = Type.Integer({ minimum: 0 });
const ArmTimings = Type.Object({
  variant: Type.String(),
  model: Type.String(),
  version: Type.Integer(),
  rows: counted,
  cached_rows: counted,
  features_ms: milliseconds,
  queue_ms: milliseconds,
  inference_ms: milliseconds,
  nodes: Type.Array(
    Type.Object({
      node: Type.String(),
      version: Type.Union([Type.Integer(), Type.Null()]),
      runs: counted,
      rows: counted,
      failures: counted,
      stand_ins: counted,
      ms: milliseconds,
    }),
    { description: 'Of a model that is made of others' },
  ),
});

export const PredictResponse = Type.Object({
  endpoint: Type.String(),
  predictions: Type.Array(Type.Union([Prediction, FailedRow])),
  timings: Type.Optional(Type.Array(ArmTimings, { description: 'By variant; where `return_timings` asks for it' })),
});

export const ReadBody = Type.Object(
  {
    service: Type.String(),
    rows: Type.Array(JsonRow, { description: 'Key columns, and what on-demand views take' }),
    options: Type.Optional(
      Type.Object(
        { layout: Type.Optional(Type.Union([Type.Literal('rows'), Type.Literal('columns')], { default: 'rows' })) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
/** Where the path names the service. */
export const ServiceReadBody = Type.Omit(ReadBody, ['service'], { additionalProperties: false });
const Features = {
  features: ByFeature,
  statuses: Type.Object(
    {},
    { additionalProperties: true, description: 'By full feature name, only where it isn’t PRESENT' },
  ),
  event_times: Type.Object({}, { additionalProperties: true, description: 'By view, null where there is no record' }),
};
export const ReadResponse = Type.Union([
  Type.Object({ rows: Type.Array(Type.Object(Features)) }),
  Type.Object(Features, { description: 'With layout `columns`: an array of all rows’ in place of each value' }),
]);

export const PushBody = Type.Object({ rows: Type.Array(Type.Unknown()) }, { additionalProperties: false });
export const PushResponse = Type.Object({
  accepted: Type.Integer(),
  duplicate: Type.Boolean({ description: 'Answered from the first result of this Idempotency-Key' }),
  views: Type.Array(
    Type.Object({
      view: Type.String(),
      written: Type.Integer({ description: 'Records that changed' }),
      covered: Type.Integer({ description: 'Events up to the boundary of the view’s files, which hold them already' }),
      ignored: Type.Integer({ description: 'Events with a null key or event time' }),
    }),
  ),
  durable: Type.Object({ disk: Type.Boolean(), replicas: Type.Integer() }, { description: 'What it survives' }),
  quarantined: Type.Optional(Type.Integer({ description: 'Rows that were set apart; they count in no feature' })),
  warnings: Type.Optional(
    Type.Array(
      Type.Object({
        rule: Type.String(),
        rows: Type.Integer({ description: 'Rows that break it and were taken' }),
      }),
      { description: 'Left out in the answer to a repeat' },
    ),
  ),
});

/** Past these a whole number has digits that a double loses. */
const OutcomeNumber = Type.Number({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER });

const UnitValues = [Type.String({ maxLength: 4096 }), OutcomeNumber, Type.Boolean()];

export const OutcomesBody = Type.Object(
  {
    outcomes: Type.Array(
      Type.Object(
        {
          prediction_id: Type.Optional(
            Type.String({ minLength: 1, maxLength: 200, description: 'Or `unit` and `at`' }),
          ),
          value: Type.Union([OutcomeNumber, Type.Boolean(), Type.String(), Type.Null()], {
            description: 'Kept as it came: true is not 1. A number past 2^53 goes as text',
          }),
          observed_at: Type.Optional(Type.String({ description: 'RFC 3339; default: arrival' })),
          unit: Type.Optional(
            Type.Union([...UnitValues, Type.Array(Type.Union(UnitValues), { minItems: 1, maxItems: 100 })], {
              description:
                'The value of the endpoint’s unit, or an array of those of its columns: of its newest prediction before `at`',
            }),
          ),
          at: Type.Optional(Type.String({ description: 'RFC 3339: when it happened' })),
          from: Type.Optional(
            Type.String({ description: 'RFC 3339, not after `at`: the prediction was made then or later' }),
          ),
          within: Type.Optional(
            Type.String({ maxLength: 40, description: 'In place of `from`: how long before `at`; default: 7d' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export const OutcomesResponse = Type.Object({ accepted: Type.Integer() });

const Weight = { minimum: 0, maximum: 100, description: 'Percent, in steps of 0.01' };
const BucketRanges = Type.Array(Type.Array(Type.Integer(), { minItems: 2, maxItems: 2 }), {
  description: 'Buckets 0 to 9999 that are its own: from the first of each pair up to the second, which is not in it',
});
const Variant = Type.Object(
  { name: Type.String(), weight: Type.Number(Weight), version: Type.Integer({ minimum: 1 }), ranges: BucketRanges },
  { additionalProperties: false },
);
const RunningExperiment = Type.Object({
  name: Type.String(),
  phase: Type.Integer(),
  seed: Type.String(),
  unit: Type.Array(Type.String()),
  namespace: orNull(
    Type.Object({ seed: Type.String(), ranges: Type.Array(Type.Array(Type.Number(), { minItems: 2, maxItems: 2 })) }),
  ),
  when: orNull(Type.Record(Type.String(), Type.Unknown())),
  arms: Type.Array(Type.Object({ name: Type.String(), version: Type.Integer(), ranges: BucketRanges })),
});
const Shadow = Type.Object(
  { version: Type.Integer({ minimum: 1 }), percent: Type.Number({ minimum: 0, maximum: 100 }) },
  { additionalProperties: false },
);

const Version = Type.Union([Type.Integer({ minimum: 1 }), Type.String({ minLength: 1, maxLength: 64 })], {
  description: 'A number, an alias or `latest`; kept as the number that it means now',
});
const asked = { additionalProperties: false } as const;

export const TrafficBody = Type.Object(
  {
    variants: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          weight: Type.Optional(
            Type.Number({ ...Weight, description: `${Weight.description}; what its ranges say when left out` }),
          ),
          version: Version,
          ranges: Type.Optional(BucketRanges),
        },
        asked,
      ),
    ),
    shadows: Type.Optional(Type.Array(Type.Object({ ...Shadow.properties, version: Version }, asked))),
    override: Type.Optional(
      Type.Boolean({
        description:
          'Although a rollout is under way: it goes on over its two variants, or ends and its candidate gets nothing; needs X-Reason',
      }),
    ),
  },
  { additionalProperties: false },
);
export const TrafficChangeParams = Type.Object({
  endpoint: Type.String(),
  revision: Type.String({ pattern: '^[1-9][0-9]{0,8}$' }),
});
export const TrafficChangeResponse = Type.Object({
  revision: Type.Integer(),
  state: Type.String({ description: 'preparing, active, failed, or superseded: it was active, or was overtaken' }),
  variants: Type.Array(Variant),
  shadows: Type.Array(Shadow),
  experiments: Type.Array(RunningExperiment),
  failures: Type.Array(Type.Object({ server: Type.String(), reason: Type.String() })),
  waits_for: orNull(Type.Array(Type.String()), {
    description:
      'Live servers that have yet to load it, while it is preparing, or to answer by it, when it is active; null in an answer of PUT that could not learn them',
  }),
  asked_at: orNull(Type.String()),
  reason: orNull(Type.String()),
  ends_rollout: Type.Optional(
    Type.String({ description: 'Id of the rollout that it ends, which goes on until it is active' }),
  ),
});
export const TrafficRevisionResponse = Type.Object({
  ...TrafficChangeResponse.properties,
  active_from: orNull(Type.String(), { description: 'Null where it never was active' }),
  active_until: orNull(Type.String(), { description: 'Null where it is active, or never was' }),
});
export const EndpointResponse = Type.Object({
  name: Type.String(),
  model: Type.String(),
  unit: Type.Array(Type.String()),
  variants: Type.Array(Variant),
  shadows: Type.Array(Shadow),
  experiments: Type.Array(RunningExperiment),
  rollout: orNull(Type.String(), {
    description: 'Id of the rollout that alone may change the traffic; null where none is under way',
  }),
  ended_rollout: Type.Optional(
    Type.String({ description: 'Id of the rollout that was ended by this traffic; its candidate got none of it' }),
  ),
  revision: Type.Integer(),
  waits_for: orNull(Type.Array(Type.String()), {
    description:
      'Live servers that have yet to answer by this revision; null in an answer of PUT that could not learn them',
  }),
  state: Type.Optional(
    Type.Enum(['serving', 'stale', 'failed', 'empty'], { description: 'At the server that answers' }),
  ),
  wanted: Type.Optional(Type.Array(Type.Integer())),
  served: Type.Optional(Type.Array(Type.Integer())),
  reason: Type.Optional(orNull(Type.String())),
  since: Type.Optional(orNull(Type.String())),
  retryAt: Type.Optional(orNull(Type.String())),
  breakers: Type.Optional(
    Type.Array(
      Type.Object({
        variant: Type.String(),
        version: Type.Integer(),
        since: Type.String(),
        probeAt: Type.String({ description: 'When the variant is tried next' }),
      }),
      {
        description:
          'At the server that answers: variants that fail, whose requests go to the base; where there are any',
      },
    ),
  ),
  change: orNull(TrafficChangeResponse),
});
export const EndpointsResponse = Type.Object({ endpoints: Type.Array(EndpointResponse) });

const Milliseconds = orNull(Type.Number());
const Latency = Type.Object({
  mean: Milliseconds,
  p50: Milliseconds,
  p90: Milliseconds,
  p99: Milliseconds,
  max: Milliseconds,
});
const orNothing = (description: string) => orNull(Type.Number(), { description });
export const ShadowsResponse = Type.Object({
  scope: Type.Literal('server', { description: 'Counted by the server that answers alone, since it started' }),
  shadows: Type.Array(
    Type.Object({
      version: Type.Integer(),
      percent: orNothing('Of the endpoint’s rows; null of one that shadows no more, whose figures stay'),
      pairs: Type.Integer({ description: 'Rows that it answered, beside what was answered' }),
      errors: Type.Integer({ description: 'Rows that it failed' }),
      error_codes: Type.Record(Type.String(), Type.Integer()),
      agreement: orNothing('Share of the pairs with the same label, or with numbers within 1 % of the larger'),
      mean_abs_difference: orNothing('Of the scores'),
      psi: orNothing('Of its scores against those that were answered'),
      latency_ms: Type.Object({ primary: Latency, shadow: Latency }),
      dropped: Type.Record(Type.String(), Type.Integer(), { description: 'Rows that it did not get, by reason' }),
    }),
  ),
});

export const ProblemResponse = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
    request_id: Type.Optional(Type.String()),
    errors: Type.Array(Type.Object({ path: Type.String(), message: Type.String() })),
  },
  { description: 'application/problem+json, RFC 9457' },
);
/** What a route may answer besides what it is asked for. */
export const problems = { '4xx': ProblemResponse, '5xx': ProblemResponse };

const About = {
  name: Type.String(),
  description: Type.Optional(Type.String()),
  owner: Type.Optional(Type.String()),
  tags: Type.Optional(Type.Record(Type.String(), Type.String())),
};
const Typed = { name: Type.String(), type: Type.String(), description: Type.Optional(Type.String()) };
const ColumnResponse = Type.Object({ ...Typed, required: Type.Boolean(), default: Type.Optional(Type.Unknown()) });
export const ServiceResponse = Type.Object({
  ...About,
  state: Type.Enum(['current', 'waiting', 'unfilled', 'unserved']),
  revision: Type.Integer({ description: 'The apply by whose definitions it is answered' }),
  waits_for: Type.Array(Type.String()),
  request: Type.Array(ColumnResponse),
  features: Type.Array(Type.Object(Typed)),
});
export const ServicesResponse = Type.Object({ services: Type.Array(ServiceResponse) });
export const ViewResponse = Type.Object({
  ...About,
  entity: Type.String(),
  keys: Type.Array(Type.Object(Typed)),
  source: Type.String(),
  features: Type.Array(Type.Object({ ...Typed, default: Type.Optional(Type.Unknown()), aggregation: Type.String() })),
  versions: Type.Array(Type.Object({ version: Type.String(), current: Type.Boolean(), complete: Type.Boolean() })),
});
export const ViewsResponse = Type.Object({ views: Type.Array(ViewResponse) });

const Aged = Type.Object({ at: Type.String(), age_seconds: Type.Integer() });
const ViewStatus = Type.Object(
  {
    view: Type.String(),
    version: Type.String(),
    newest_event: orNull(Aged),
    last_run: orNull(Type.Object({ run: Type.Integer(), as_of: Type.String(), finished: Aged }, MORE)),
    coverage: Type.Array(Type.Object({ writer: Type.Integer(), waiting: Type.Integer() }, MORE)),
  },
  MORE,
);
export const StatusResponse = Type.Object(
  {
    views: orNull(Type.Array(ViewStatus)),
    missing: Type.Array(Type.Object({ part: Type.String(), reason: Type.String() }), {
      description: 'What could not be had in time, and why: it is null here',
    }),
  },
  MORE,
);

export const HealthResponse = Type.Object({ status: Type.String() }, { additionalProperties: true });
