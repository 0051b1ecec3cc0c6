// A typed path for each endpoint, service and source, made from the catalogue.

import { ReadBody, ReadResponse, OutcomesResponse } from '../schemas.ts';
import { PredictBody, PredictResponse, PushBody, PushResponse } from '../schemas.ts';
import type { ListedEndpoint, ListedService, ListedSource } from '../../catalogue.ts';
import { type DocumentPart, postItem } from './operation.ts';
import { outcomesBodySchema } from './outcome-schema.ts';
import { columnsSchema, exampleRow, rowSchema, valuesSchema } from './row-schema.ts';
import { type Members, specialise } from './specialise.ts';
import { type JsonSchema, orNull } from './value-schema.ts';

const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

/** `POST /v1/endpoints/{endpoint}/predict` and `…/outcomes`. */
export function endpointPaths(endpoint: ListedEndpoint): DocumentPart {
  const { name } = endpoint;
  const [row, outputs, features] = [`EndpointRow_${name}`, `EndpointOutputs_${name}`, `EndpointFeatures_${name}`];
  const body = specialise(PredictBody, {
    inputs: (member) => ({ ...member, minItems: 1, items: ref(row) }),
    options: closed,
  });
  const answer = specialise(PredictResponse, {
    endpoint: () => ({ const: name }),
    outputs: () => ref(outputs),
    ...answered({ features: () => ref(features) }),
  });
  const predict = postItem({
    id: `predict_${name}`,
    tag: 'predict',
    summary: `Predict by ${name}`,
    of: endpoint,
    body,
    example: { inputs: [exampleRow(endpoint.request)] },
    answer,
    answered: 'Predictions in the order of the inputs',
    problems: 'predict',
    parameters: ['Timeout', 'Variant', 'Partial', 'ReturnFeatures', 'ReturnTimings'],
    takesArrow: true,
    arrow:
      'An Arrow IPC stream: outputs, `prediction_id`, `version`, `variant`; other members as JSON in the schema’s metadata',
  });
  const outcomes = postItem({
    id: `outcomes_${name}`,
    tag: 'predict',
    summary: `Tell what became of predictions by ${name}`,
    body: outcomesBodySchema(endpoint.unit),
    example: { outcomes: [{ prediction_id: 'an id of an answer', value: true }] },
    answer: specialise(OutcomesResponse, {}),
    answered: 'Kept on disk; sent again they change nothing',
    problems: 'outcomes',
  });
  return {
    paths: { [`/v1/endpoints/${name}/predict`]: predict, [`/v1/endpoints/${name}/outcomes`]: outcomes },
    schemas: {
      [row]: rowSchema(endpoint.request),
      [outputs]: valuesSchema(endpoint.outputs),
      [features]: valuesSchema(endpoint.features),
    },
  };
}

const FEATURES_IN_ARROW =
  'An Arrow IPC stream: a column a feature, in their order; with `statuses` and `event_times` those too';
const READ = 'Read features of any service';
const READ_BY = 'POST /v1/features/read takes the same for any service, with its name in `service`.';

/** `POST /v1/services/{service}/read`. */
export function servicePaths(service: ListedService): DocumentPart {
  const { name } = service;
  const [row, features, columns] = [`ServiceRow_${name}`, `ServiceFeatures_${name}`, `ServiceColumns_${name}`];
  const { service: _named, ...properties } = readBody(name)['properties'] as Readonly<Record<string, JsonSchema>>;
  const item = postItem({
    id: `read_${name}`,
    tag: 'features',
    summary: `Read features of ${name}`,
    of: { ...service, description: [service.description, READ_BY].filter(Boolean).join('\n\n') },
    body: { ...readBody(name), required: ['rows'], properties },
    example: { rows: [exampleRow(service.request)] },
    answer: ref(`ServiceAnswer_${name}`),
    answered: 'A row of features for each row of the request, in its order',
    problems: 'read',
    parameters: ['Statuses', 'EventTimes'],
    takesArrow: true,
    arrow: FEATURES_IN_ARROW,
  });
  return {
    paths: { [`/v1/services/${name}/read`]: item },
    schemas: {
      [row]: rowSchema(service.request),
      [features]: valuesSchema(service.features),
      [columns]: columnsSchema(service.features),
      [`ServiceAnswer_${name}`]: specialise(
        ReadResponse,
        answered({ features: (_member, isByColumn) => ref(isByColumn ? columns : features) }),
      ),
    },
  };
}

/** `POST /v1/features/read`, whose body is one of the services' by its `service`. */
export function readPath(services: readonly ListedService[]): DocumentPart {
  const [first] = services;
  if (first === undefined) return { paths: {}, schemas: {} };
  const names = services.map(({ name }) => name);
  const item = postItem({
    id: 'read',
    tag: 'features',
    summary: READ,
    body: {
      oneOf: names.map((name) => ref(`ServiceRead_${name}`)),
      discriminator: {
        propertyName: 'service',
        mapping: Object.fromEntries(names.map((name) => [name, `#/components/schemas/ServiceRead_${name}`])),
      },
    },
    example: { service: first.name, rows: [exampleRow(first.request)] },
    answer: { anyOf: names.map((name) => ref(`ServiceAnswer_${name}`)) },
    answered: 'A row of features for each row of the request, in its order',
    problems: 'read',
    parameters: ['Statuses', 'EventTimes'],
    arrow: FEATURES_IN_ARROW,
  });
  return {
    paths: { '/v1/features/read': item },
    schemas: Object.fromEntries(names.map((name) => [`ServiceRead_${name}`, readBody(name)])),
  };
}

function readBody(service: string): JsonSchema {
  return specialise(ReadBody, {
    service: () => ({ type: 'string', const: service }),
    rows: (member) => ({ ...member, items: ref(`ServiceRow_${service}`) }),
    options: closed,
  });
}

/** `POST /v1/sources/{source}/push`. */
export function sourcePaths(source: ListedSource): DocumentPart {
  const { name } = source;
  const item = postItem({
    id: `push_${name}`,
    tag: 'push',
    summary: `Push events into ${name}`,
    of: source,
    body: specialise(PushBody, { rows: (member) => ({ ...member, items: ref(`SourceRow_${name}`) }) }),
    example: { rows: [exampleRow(source.columns)] },
    answer: specialise(PushResponse, {}),
    answered: 'On disk, and seen by the next read on every server',
    problems: 'push',
    parameters: ['IdempotencyKey'],
  });
  return {
    paths: { [`/v1/sources/${name}/push`]: item },
    schemas: { [`SourceRow_${name}`]: rowSchema(source.columns) },
  };
}

/** An unknown option is refused. */
function closed(member: JsonSchema): JsonSchema {
  return { ...member, additionalProperties: false };
}

function answered(members: Members): Members {
  const byName = (value: JsonSchema): JsonSchema => ({ type: 'object', additionalProperties: value });
  const list = (value: JsonSchema): JsonSchema => ({ type: 'array', items: value });
  return {
    ...members,
    statuses: (_member, isByColumn) => byName(isByColumn ? list(ref('Status')) : ref('Status')),
    event_times: (_member, isByColumn) => {
      const time = orNull(ref('Timestamp'));
      return byName(isByColumn ? list(time) : time);
    },
  };
}
