// One operation of the document: the words around its typed bodies, the same for endpoints, services and sources.

import type { Described } from '../../catalogue.ts';
import { ARROW_TYPE } from '../arrow-form.ts';
import { type ProblemsOf, problemResponses } from './problem-responses.ts';
import type { JsonSchema } from './value-schema.ts';

/** Part of a document: path items by path, and the schemas that they refer to by name. */
export interface DocumentPart {
  readonly paths: Readonly<Record<string, object>>;
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

export interface Operation {
  readonly id: string;
  readonly tag: 'predict' | 'features' | 'push';
  readonly summary: string;
  /** What it is of, as its author describes it. */
  readonly of?: Described;
  readonly body: JsonSchema;
  readonly example: unknown;
  /** More examples, by name. */
  readonly answer: JsonSchema;
  readonly answered: string;
  readonly problems: ProblemsOf;
  readonly parameters?: readonly string[];
  /** Of one that answers in Arrow, too: what is in it. */
  readonly arrow?: string;
  /** Its rows may be an Arrow stream. */
  readonly takesArrow?: boolean;
}

/** The path item of a POST. */
export function postItem(operation: Operation): object {
  const {
    id,
    tag,
    summary,
    of,
    body,
    example,
    answer,
    answered,
    problems,
    parameters = [],
    arrow,
    takesArrow,
  } = operation;
  const description = of === undefined ? '' : describe(of);
  return {
    post: {
      operationId: id,
      tags: [tag],
      summary,
      ...(description === '' ? {} : { description }),
      ...(of?.owner === undefined ? {} : { 'x-owner': of.owner }),
      ...(of?.tags === undefined ? {} : { 'x-tags': of.tags }),
      parameters: ['RequestId', 'Int64', ...parameters].map((name) => ({ $ref: `#/components/parameters/${name}` })),
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: body, example },
          ...arrowContent(takesArrow === true ? ARROW_ROWS : undefined),
        },
      },
      responses: {
        200: {
          description: answered,
          content: { 'application/json': { schema: answer }, ...arrowContent(arrow) },
        },
        ...problemResponses(problems),
      },
    },
  };
}

const ARROW_ROWS = 'An Arrow IPC stream: a row a row, columns by name';

function arrowContent(description: string | undefined): object {
  return description === undefined ? {} : { [ARROW_TYPE]: { schema: { description } } };
}

function describe({ description = '', owner, tags = {} }: Described): string {
  const labels = Object.entries(tags).map(([name, value]) => `${name}: ${value}`);
  const about = [...(owner === undefined ? [] : [`Owner: ${owner}`]), ...labels].join(' · ');
  return [description, about].filter((text) => text !== '').join('\n\n');
}

/** What operations refer to. */
export const PARAMETERS = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Echoed, and in the log; made where it is left out',
    schema: { type: 'string', pattern: '^[ -~]{1,128}$' },
  },
  Int64: {
    name: 'X-Int64',
    in: 'header',
    description: 'Each int64 of the answer as text with all its digits. Without it they are numbers',
    schema: { type: 'string', const: 'string' },
  },
  Timeout: {
    name: 'X-Request-Timeout-Ms',
    in: 'header',
    description: 'The deadline in milliseconds; past it the answer is 504',
    schema: { type: 'integer', minimum: 1, maximum: 3_600_000 },
  },
  Variant: {
    name: 'X-Headrace-Variant',
    in: 'header',
    description: 'The variant, or `experiment/arm`, that all rows go to; takes the role `experiment`',
    schema: { type: 'string' },
  },
  Statuses: flag('statuses', 'Of an answer in Arrow: `F__status` for each feature F'),
  EventTimes: flag('event_times', 'Of an answer in Arrow: `F__event_time` for each feature F'),
  Partial: flag('partial', 'Of rows in Arrow: as `options.partial` of JSON'),
  ReturnFeatures: flag('return_features', 'Of rows in Arrow: as `options.return_features` of JSON'),
  ReturnTimings: flag('return_timings', 'Of rows in Arrow: as `options.return_timings` of JSON'),
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'A repeat under the same key changes nothing and gets the first answer',
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~](?:[ -~]*[!-~])?$' },
  },
};

function flag(name: string, description: string): object {
  return { name, in: 'query', description, schema: { type: 'boolean', default: false } };
}
