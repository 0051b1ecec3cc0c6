// What a route answers when it can't: problem documents by status, with the catalogue's codes for each.

import { type ErrorCode, ERRORS } from '../../../core/index.ts';
import { ProblemResponse } from '../schemas.ts';
import { PROBLEM_TYPE } from '../problem.ts';
import type { JsonSchema } from './value-schema.ts';

/** Of every route with a body. */
const ANY: readonly ErrorCode[] = [
  'HR_INVALID',
  'HR_MALFORMED_JSON',
  'HR_UNAUTHENTICATED',
  'HR_FORBIDDEN',
  'HR_TOO_LARGE',
  'HR_UNSUPPORTED_MEDIA',
  'HR_MISDIRECTED',
  'HR_OVERLOADED',
  'HR_NOTHING_APPLIED',
  'HR_NOT_LOADED',
  'HR_STOPPING',
];

const OWN = {
  predict: [
    'HR_UNKNOWN_ENDPOINT',
    'HR_MALFORMED_ARROW',
    'HR_NULL_FEATURE',
    'HR_UNKNOWN_ENTITY',
    'HR_MODEL_NOT_READY',
    'HR_ONLINE_UNAVAILABLE',
    'HR_INFERENCE_FAILED',
    'HR_DEADLINE',
  ],
  outcomes: ['HR_UNKNOWN_ENDPOINT'],
  read: ['HR_UNKNOWN_SERVICE', 'HR_MALFORMED_ARROW', 'HR_VERSION_INCOMPLETE', 'HR_ONLINE_UNAVAILABLE', 'HR_DEADLINE'],
  push: ['HR_UNKNOWN_SOURCE', 'HR_IDEMPOTENCY', 'HR_PUSH_LOST', 'HR_PUSH_UNDER_WAY', 'HR_ONLINE_UNAVAILABLE'],
} as const satisfies Readonly<Record<string, readonly ErrorCode[]>>;

export type ProblemsOf = keyof typeof OWN;

/** Any other problem: whatever is not named may still come. */
export const OTHER_PROBLEMS = {
  '4XX': { $ref: '#/components/responses/Problem' },
  '5XX': { $ref: '#/components/responses/Problem' },
};

const codesByStatus = (of: ProblemsOf): [number, readonly ErrorCode[]][] =>
  [...Map.groupBy([...ANY, ...OWN[of]], (code) => ERRORS[code].status)].sort(([one], [other]) => one - other);

const problem = (description: string): object => ({
  description,
  content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
});

const responseName = (of: ProblemsOf, status: number): string => `${of}_${status}`;

// OWN's keys are those.
const KINDS = Object.keys(OWN) as ProblemsOf[];

/** `components` that the responses refer to: for each kind of route and status the codes that a client may meet. */
export const PROBLEM_COMPONENTS = {
  schemas: { Problem: JSON.parse(JSON.stringify(ProblemResponse)) as JsonSchema },
  responses: {
    Problem: problem('A problem document (RFC 9457); `code` is of the error catalogue'),
    ...Object.fromEntries(
      KINDS.flatMap((of) =>
        codesByStatus(of).map(([status, codes]) => [
          responseName(of, status),
          problem(codes.map((code) => `${code}: ${ERRORS[code].title}`).join('; ')),
        ]),
      ),
    ),
  },
};

const RESPONSES = Object.fromEntries(
  KINDS.map((of) => {
    const named = codesByStatus(of).map(([status]) => [
      String(status),
      { $ref: `#/components/responses/${responseName(of, status)}` },
    ]);
    return [of, { ...Object.fromEntries(named), ...OTHER_PROBLEMS }];
  }),
);

/** Responses by status. */
export function problemResponses(of: ProblemsOf): Readonly<Record<string, unknown>> {
  return RESPONSES[of] as Readonly<Record<string, unknown>>;
}
