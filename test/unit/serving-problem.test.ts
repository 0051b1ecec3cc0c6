// What an error of the framework, or of anything else that is thrown, is to the caller.

import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { fromHttp } from '../../src/serving/http/problem.ts';

describe('an error that a route throws', () => {
  const own = new HeadraceError('HR_UNKNOWN_MODEL', 'there is no model "a"');
  it.each([
    ['one of Headrace’s own is itself', own, 'HR_UNKNOWN_MODEL', /"a"/],
    ['nothing', undefined, 'HR_INTERNAL', /./],
    ['null', null, 'HR_INTERNAL', /./],
    ['a text', 'broken', 'HR_INTERNAL', /./],
    [
      'a body that the route does not take',
      { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' },
      'HR_UNSUPPORTED_MEDIA',
      /"text\/csv"/,
    ],
    [
      'a body that is no JSON',
      { code: 'FST_ERR_CTP_INVALID_JSON_BODY', message: 'no JSON' },
      'HR_MALFORMED_JSON',
      /no JSON/,
    ],
    ['400 of the framework', { statusCode: 400, message: 'bad URL' }, 'HR_INVALID', /bad URL/],
    ['499 of the framework', { statusCode: 499, message: 'gone' }, 'HR_INVALID', /gone/],
    ['399 of the framework', { statusCode: 399, message: 'odd' }, 'HR_INTERNAL', /./],
    ['500 of the framework', { statusCode: 500, message: 'down' }, 'HR_INTERNAL', /./],
  ])('%s', (_, thrown, code, message) => {
    const error = fromHttp(thrown, 'text/csv');
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
