// What a client takes for an object of an answer, and how it reports everything else.

import { expect, it } from 'vitest';
import { objectIn } from '../../src/client/answer-parts.ts';

it('an object of an answer is returned as it is', () => {
  const body = { accepted: 1 };
  expect(objectIn(body)).toBe(body);
});

it.each([
  [null, 'null'],
  [[], 'an array'],
  ['text', 'string'],
  [undefined, 'undefined'],
])('no object of an answer is %j', (body, kind) => {
  const message = `the answer has ${kind} for an object. Is the server of the client's version?`;
  expect(() => objectIn(body)).toThrow(expect.objectContaining({ code: 'HR_UNEXPECTED_ANSWER', message }));
});
