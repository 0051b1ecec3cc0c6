// What a client is told of an error, and what it is not.

import { describe, expect, it } from 'vitest';
import { type ErrorCode, ERRORS, HeadraceError, invalid } from '../../src/core/index.ts';
import { fromHttp, rowProblem, toProblem } from '../../src/serving/http/problem.ts';

const INSIDE = 'connect ECONNREFUSED 10.0.0.7:5432 /srv/app/node_modules/pg/lib/client.js:42 password=hunter2';
const codes = Object.keys(ERRORS) as ErrorCode[];

describe('a fault of the server', () => {
  it.each(codes.filter((code) => ERRORS[code].status === 500))('%s tells nothing of what is inside', (code) => {
    const error = new HeadraceError(code, INSIDE, {
      details: [{ path: INSIDE, message: INSIDE }],
      cause: new Error(INSIDE),
    });
    const told = JSON.stringify(toProblem(error, { requestId: 'r-1' }));
    expect(told).not.toMatch(/ECONNREFUSED|node_modules|hunter2|10\.0\.0\.7/);
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
    expect(JSON.stringify(problem)).not.toMatch(/ECONNREFUSED|node_modules|hunter2|10\.0\.0\.7/);
  });
});

it('a fault of some rows names them, by their places alone', () => {
  const details = [3, 7].map((at) => ({ path: `inputs[${at}]`, message: INSIDE }));
  const { title } = ERRORS.HR_INFERENCE_FAILED;
  expect(toProblem(new HeadraceError('HR_INFERENCE_FAILED', INSIDE, { details })).errors).toEqual([
    { path: 'inputs[3]', message: title },
    { path: 'inputs[7]', message: title },
  ]);
});

describe('a row that fails alone', () => {
  const mistakes = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ path: `inputs[1].c${at}`, message: 'expected bool, got null' }));

  it.each([
    [1, /^inputs\[1\]\.c0: expected bool, got null$/],
    [3, /^inputs\[1\]\.c0: expected bool, got null; inputs\[1\]\.c1: .*; inputs\[1\]\.c2: expected bool, got null$/],
    [12, /^inputs\[1\]\.c0: .*; inputs\[1\]\.c9: expected bool, got null \(and 2 more\)$/],
    [200, /^inputs\[1\]\.c0: .*; inputs\[1\]\.c9: expected bool, got null \(and more\)$/],
  ])('tells %s mistakes in its detail, ten at most', (count, detail) => {
    expect(rowProblem(invalid(mistakes(count)), 'inputs[1]', undefined)).toEqual({
      code: 'HR_INVALID',
      detail: expect.stringMatching(detail),
      path: 'inputs[1].c0',
    });
  });
});

it('a mistake of the client is told with its words', () => {
  const problem = toProblem(new HeadraceError('HR_INVALID', 'rows[0]: expected an object'));
  expect(problem).toMatchObject({ status: 400, detail: 'rows[0]: expected an object' });
});
