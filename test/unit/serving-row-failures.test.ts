// What a client is told of an error, and what it is not; and a request whose rows fail in several ways: by which of them it is
// counted, and what of each is told to whom.

import { describe, expect, it } from 'vitest';
import { type ErrorCode, ERRORS, HeadraceError, invalid } from '../../src/core/index.ts';
import { failureKind } from '../../src/monitoring/index.ts';
import { fromHttp, rowProblem, toProblem } from '../../src/serving/http/problem.ts';
import { failedRows, rowError } from '../../src/serving/row-failures.ts';

const INSIDE = 'connect ECONNREFUSED 10.0.0.7:5432 /srv/app/node_modules/pg/lib/client.js:42 password=hunter2';
const IS_INSIDE = /ECONNREFUSED|node_modules|hunter2|10\.0\.0\.7/;
const codes = Object.keys(ERRORS) as ErrorCode[];

describe('a fault of the server', () => {
  it.each(codes.filter((code) => ERRORS[code].status === 500))('%s tells nothing of what is inside', (code) => {
    const details = [{ path: INSIDE, message: INSIDE }];
    const error = new HeadraceError(code, INSIDE, { details, cause: new Error(INSIDE) });
    const told = JSON.stringify(toProblem(error, { requestId: 'r-1' }));
    expect(told).not.toMatch(IS_INSIDE);
    expect(told).toContain('the server’s log has it');
    expect(told).toContain('"request_id":"r-1"');
  });

  it.each([
    ['an error', new Error(INSIDE)],
    ['a text', INSIDE],
    ['an error with a status of the server’s', Object.assign(new Error(INSIDE), { statusCode: 500 })],
    ['an error with another’s code', Object.assign(new Error(INSIDE), { code: 'ECONNREFUSED' })],
  ])('that is thrown as %s tells nothing either', (_what, thrown) => {
    const problem = toProblem(fromHttp(thrown));
    expect(problem).toMatchObject({ status: 500, code: 'HR_INTERNAL', errors: [] });
    expect(JSON.stringify(problem)).not.toMatch(IS_INSIDE);
  });

  it('of some rows names them, by their places alone', () => {
    const details = [3, 7].map((at) => ({ path: `inputs[${at}]`, message: INSIDE }));
    const told = details.map(({ path }) => ({ path, message: ERRORS.HR_INFERENCE_FAILED.title }));
    expect(toProblem(new HeadraceError('HR_INFERENCE_FAILED', INSIDE, { details })).errors).toEqual(told);
  });
});

it.each([
  [1, /^inputs\[1\]\.c0: expected bool, got null$/],
  [3, /^inputs\[1\]\.c0: expected bool, got null; inputs\[1\]\.c1: .*; inputs\[1\]\.c2: expected bool, got null$/],
  [12, /^inputs\[1\]\.c0: .*; inputs\[1\]\.c9: expected bool, got null \(and 2 more\)$/],
  [200, /^inputs\[1\]\.c0: .*; inputs\[1\]\.c9: expected bool, got null \(and more\)$/],
])('a row that fails alone tells %s mistakes in its detail, ten at most', (count, detail) => {
  const mistake = (_: unknown, at: number) => ({ path: `inputs[1].c${at}`, message: 'expected bool, got null' });
  const problem = rowProblem(invalid(Array.from({ length: count }, mistake)), 'inputs[1]', undefined);
  expect(problem).toEqual({ code: 'HR_INVALID', detail: expect.stringMatching(detail), path: 'inputs[1].c0' });
});

it('a mistake of the client is told with its words', () => {
  const detail = 'rows[0]: expected an object';
  expect(toProblem(new HeadraceError('HR_INVALID', detail))).toMatchObject({ status: 400, detail });
});

it('a key that was pasted into a request is not repeated to anybody', () => {
  const key = 'hr_0123456789_abcdefghijklmnopqrstuvwxyzABCDEF';
  const details = [{ path: `inputs[0].${key}`, message: `there is no ${key}` }];
  const problem = toProblem(new HeadraceError('HR_UNKNOWN_ENDPOINT', `there is no endpoint "${key}"`, { details }));
  expect(JSON.stringify(problem)).not.toContain('abcdefghij');
  const errors = [{ path: 'inputs[0].hr_0123456789', message: 'there is no hr_0123456789' }];
  expect(problem).toMatchObject({ detail: 'there is no endpoint "hr_0123456789"', errors });
});

describe('rows that fail in several ways', () => {
  const WORDS: Readonly<Record<string, string>> = {
    HR_TRANSFORM_FAILED: 'basket: could not reach db.internal as ann:hunter2',
    HR_INTERNAL: 'ENOENT /srv/hunter2',
    HR_UNKNOWN_ENTITY: 'customer "eve" is known to no view',
    HR_NULL_FEATURE: 'age is null',
  };
  const own = { HR_TRANSFORM_FAILED: 'a function failed on it', HR_INTERNAL: ERRORS.HR_INTERNAL.title };
  const TOLD: Readonly<Record<string, string>> = { ...WORDS, ...own };
  const orders = <T>(all: readonly T[]): readonly (readonly T[])[] =>
    all.length < 2
      ? [all]
      : all.flatMap((one) => orders(all.filter((each) => each !== one)).map((rest) => [one, ...rest]));

  function failedWith(codes: readonly string[]): HeadraceError {
    const rows = codes.map((code, at) => {
      const where = 'on-demand view "basket"';
      return { error: rowError('inputs', at, new HeadraceError(code as ErrorCode, WORDS[code] ?? code, { where })) };
    });
    return failedRows(rows, false) ?? expect.fail('no row failed');
  }

  it.each(orders(Object.keys(WORDS)))('are each told by their own code: %s, %s, %s, %s', (...order) => {
    const error = failedWith(order);
    const problem = toProblem(error, { requestId: 'r-1' });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
    expect(problem.errors).toEqual(order.map((code, at) => ({ path: `inputs[${at}]`, message: TOLD[code] })));
    expect(JSON.stringify(toProblem(error, { actor: { isLocal: true } }))).toContain('db.internal');
  });

  it.each([
    [['HR_UNKNOWN_ENTITY', 'HR_TRANSFORM_FAILED'], 'HR_TRANSFORM_FAILED'],
    [['HR_TRANSFORM_FAILED', 'HR_UNKNOWN_ENTITY'], 'HR_TRANSFORM_FAILED'],
    [['HR_INVALID', 'HR_UNKNOWN_ENTITY'], 'HR_INVALID'],
    [['HR_UNKNOWN_ENTITY', 'HR_OVERLOADED'], 'HR_OVERLOADED'],
    [['HR_OVERLOADED', 'HR_NULL_FEATURE', 'HR_TRANSFORM_FAILED'], 'HR_NULL_FEATURE'],
    [['HR_UNKNOWN_ENTITY', 'HR_OVERLOADED', 'HR_DEADLINE'], 'HR_DEADLINE'],
  ])('%j are the request’s %s', (codes, code) => {
    expect(failedWith(codes).code).toBe(code);
  });

  it('never hide a failure of the server, whatever stands before it', () => {
    for (const order of orders(['HR_INVALID', 'HR_OVERLOADED', 'HR_INFERENCE_FAILED', 'HR_UNKNOWN_ENTITY']))
      expect(failureKind(failedWith(order).code)).toBe('failed');
  });

  it('say how many more there are, and begin with the row that gave the code', () => {
    const { detail } = toProblem(failedWith(['HR_UNKNOWN_ENTITY', 'HR_NULL_FEATURE']));
    expect(detail).toBe('inputs[1]: age is null (and 1 more rows)');
  });
});
