// The OpenAPI 3.1 document: the routes as they are registered, and in the place of those with a name in their path a typed
// path for each endpoint, service and source.

import type { Status } from '../../../online/index.ts';
import type { Catalogue } from '../../catalogue.ts';
import { type DocumentPart, PARAMETERS } from './operation.ts';
import { OTHER_PROBLEMS, PROBLEM_COMPONENTS } from './problem-responses.ts';
import { endpointPaths, readPath, servicePaths, sourcePaths } from './typed-paths.ts';
import { type JsonSchema, VALUE_SCHEMAS } from './value-schema.ts';

type Paths = Readonly<Record<string, PathItem>>;
type PathItem = Readonly<Record<string, RouteOperation>>;

interface RouteOperation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: JsonSchema }[];
  readonly responses?: Readonly<Record<string, unknown>>;
}

/** A document of the registered routes, as the HTTP framework makes it. */
export interface RoutesDocument {
  readonly paths?: object;
}

const STATUSES = [
  'PRESENT',
  'NULL_VALUE',
  'NOT_FOUND',
  'OUTSIDE_MAX_AGE',
  'INVALID',
] as const satisfies readonly Status[];

const TAGS = {
  predict: 'Predictions, and what became of them',
  features: 'Features of a service for rows of keys',
  push: 'Events into a source',
  catalogue: 'What is there to ask',
  endpoints: 'What endpoints serve, and their traffic',
  health: 'Whether the server works, and how fresh its data is',
  'training sets': 'Training sets: made, asked about, fetched',
  monitoring: 'Live figures',
};

/** `catalogue`: undefined before anything is applied; then only the routes themselves are there. */
export function openApiDocument(
  routes: RoutesDocument,
  catalogue: Catalogue | undefined,
  version: string,
): Readonly<Record<string, unknown>> {
  const parts = catalogue === undefined ? [] : typedParts(catalogue);
  const typed = Object.assign({}, ...parts.map(({ paths }) => paths)) as Paths;
  return {
    openapi: '3.1.0',
    info: {
      title: catalogue === undefined ? 'Headrace' : `Headrace: ${catalogue.project}`,
      version,
      description: 'Features and predictions. Errors are application/problem+json.',
    },
    servers: [{ url: '/' }],
    // A server on loopback may be open.
    security: [{}, { bearer: [] }, { apiKey: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: { ...typed, ...routePaths(routes.paths ?? {}, typed, catalogue) },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key `hr_…`, or a JSON Web Token' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key `hr_…`' },
      },
      parameters: PARAMETERS,
      responses: PROBLEM_COMPONENTS.responses,
      schemas: {
        ...VALUE_SCHEMAS,
        Status: { type: 'string', enum: STATUSES, description: 'How a feature’s value came about' },
        ...PROBLEM_COMPONENTS.schemas,
        ...Object.assign({}, ...parts.map(({ schemas }) => schemas)),
      },
    },
  };
}

function typedParts({ endpoints, services, sources }: Catalogue): DocumentPart[] {
  return [
    ...endpoints.map(endpointPaths),
    readPath(services),
    ...services.map(servicePaths),
    ...sources.map(sourcePaths),
  ];
}

/** The registered routes that no typed path says better. */
function routePaths(paths: object, typed: Paths, catalogue: Catalogue | undefined): Paths {
  const known = Object.keys(typed);
  const names = namesOf(catalogue);
  return Object.fromEntries(
    Object.entries(paths as Paths).flatMap(([path, item]) => {
      const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`);
      if (known.some((one) => pattern.test(one))) return [];
      const operations = Object.entries(item).map(([method, operation]) => [
        method,
        present(path, method, operation, names),
      ]);
      return [[path, Object.fromEntries(operations)]];
    }),
  );
}

function namesOf(catalogue: Catalogue | undefined): Readonly<Record<string, readonly string[]>> {
  const names = (list: readonly { readonly name: string }[] = []) => list.map(({ name }) => name);
  return {
    endpoint: names(catalogue?.endpoints),
    service: names(catalogue?.services),
    source: names(catalogue?.sources),
    view: names(catalogue?.views),
  };
}

function present(
  path: string,
  method: string,
  operation: RouteOperation,
  names: Readonly<Record<string, readonly string[]>>,
): object {
  const { parameters = [], responses = {} } = operation;
  const known = parameters.map((parameter) => {
    const values = parameter.in === 'path' ? (names[parameter.name] ?? []) : [];
    return values.length === 0 ? parameter : { ...parameter, schema: { ...parameter.schema, enum: values } };
  });
  const answers = Object.entries(responses).map(([status, response]) => [
    status,
    Object.hasOwn(OTHER_PROBLEMS, status) ? OTHER_PROBLEMS[status as keyof typeof OTHER_PROBLEMS] : response,
  ]);
  return {
    ...operation,
    operationId: operation.operationId ?? operationIdOf(path, method),
    ...(known.length === 0 ? {} : { parameters: known }),
    responses: { ...Object.fromEntries(answers), ...OTHER_PROBLEMS },
    ...(path.startsWith('/health/') ? { security: [] } : {}),
  };
}

/** `GET /v1/endpoints/{endpoint}` is `get_v1_endpoints_endpoint`. */
function operationIdOf(path: string, method: string): string {
  const words = path.split(/\W+/).filter((word) => word !== '');
  return [method, ...words].join('_');
}
