// A request whose rows fail in several ways: by which of them it is counted, and what of each is told to whom.

import { describe, expect, it } from 'vitest';
import { type ErrorCode, ERRORS, HeadraceError } from '../../src/core/index.ts';
import { failureKind } from '../../src/monitoring/index.ts';
import { toProblem } from '../../src/serving/http/problem.ts';
import { failedRows, rowError } from '../../src/serving/row-failures.ts';

const CODES = ['HR_TRANSFORM_FAILED', 'HR_INTERNAL', 'HR_UNKNOWN_ENTITY', 'HR_NULL_FEATURE'] as const;
type Code = (typeof CODES)[number];
const SECRET = 'hunter2';
const WORDS: Readonly<Record<Code, string>> = {
  HR_TRANSFORM_FAILED: `basket: could not reach db.internal as ann:${SECRET}`,
  HR_INTERNAL: `ENOENT /srv/${SECRET}`,
  HR_UNKNOWN_ENTITY: 'customer "eve" is known to no view',
  HR_NULL_FEATURE: 'age is null',
};
const TOLD: Readonly<Record<Code, string>> = {
  ...WORDS,
  HR_TRANSFORM_FAILED: 'a function failed on it',
  HR_INTERNAL: ERRORS.HR_INTERNAL.title,
};

const orders = <T>(all: readonly T[]): readonly (readonly T[])[] =>
  all.length < 2
    ? [all]
    : all.flatMap((one) => orders(all.filter((each) => each !== one)).map((rest) => [one, ...rest]));

function failedWith(codes: readonly ErrorCode[], words: (code: ErrorCode) => string = (code) => code): HeadraceError {
  const rows = codes.map((code, at) => ({
    error: rowError('inputs', at, new HeadraceError(code, words(code), { where: 'on-demand view "basket"' })),
  }));
  const error = failedRows(rows, false);
  if (error === undefined) throw new Error('no row failed');
  return error;
}

describe('rows that fail in several ways', () => {
  it.each(orders(CODES).map((order) => [order.join(', '), order] as const))(
    'are each told by their own code: %s',
    (_what, order) => {
      const error = failedWith(order, (code) => WORDS[code as Code]);
      const problem = toProblem(error, { requestId: 'r-1' });
      expect(JSON.stringify(problem)).not.toContain(SECRET);
      expect(problem.errors).toEqual(order.map((code, at) => ({ path: `inputs[${at}]`, message: TOLD[code] })));
      expect(JSON.stringify(toProblem(error, { actor: { isLocal: true } }))).toContain('db.internal');
    },
  );

  it.each([
    [['HR_UNKNOWN_ENTITY', 'HR_TRANSFORM_FAILED'], 'HR_TRANSFORM_FAILED'],
    [['HR_TRANSFORM_FAILED', 'HR_UNKNOWN_ENTITY'], 'HR_TRANSFORM_FAILED'],
    [['HR_INVALID', 'HR_UNKNOWN_ENTITY'], 'HR_INVALID'],
    [['HR_UNKNOWN_ENTITY', 'HR_OVERLOADED'], 'HR_OVERLOADED'],
    [['HR_OVERLOADED', 'HR_NULL_FEATURE', 'HR_TRANSFORM_FAILED'], 'HR_NULL_FEATURE'],
    [['HR_UNKNOWN_ENTITY', 'HR_OVERLOADED', 'HR_DEADLINE'], 'HR_DEADLINE'],
  ] as const)('%j are the request’s %s', (codes, code) => {
    expect(failedWith(codes).code).toBe(code);
  });

  it('never hide a failure of the server, whatever stands before it', () => {
    for (const order of orders(['HR_INVALID', 'HR_OVERLOADED', 'HR_INFERENCE_FAILED', 'HR_UNKNOWN_ENTITY'] as const))
      expect(failureKind(failedWith(order).code)).toBe('failed');
  });

  it('say how many more there are, and begin with the row that gave the code', () => {
    const { detail } = toProblem(failedWith(['HR_UNKNOWN_ENTITY', 'HR_NULL_FEATURE'], (code) => WORDS[code as Code]));
    expect(detail).toBe('inputs[1]: age is null (and 1 more rows)');
  });
});

it('a key that was pasted into a request is not repeated to anybody', () => {
  const key = 'hr_0123456789_abcdefghijklmnopqrstuvwxyzABCDEF';
  const details = [{ path: `inputs[0].${key}`, message: `there is no ${key}` }];
  const problem = toProblem(new HeadraceError('HR_UNKNOWN_ENDPOINT', `there is no endpoint "${key}"`, { details }));
  expect(JSON.stringify(problem)).not.toContain('abcdefghij');
  expect(problem).toMatchObject({
    detail: 'there is no endpoint "hr_0123456789"',
    errors: [{ path: 'inputs[0].hr_0123456789', message: 'there is no hr_0123456789' }],
  });
});
