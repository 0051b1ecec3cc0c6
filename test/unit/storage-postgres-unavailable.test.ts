// What users read where Postgres does not answer.

import { expect, it } from 'vitest';
import { unavailable } from '../../src/storage/database/postgres/open-postgres.ts';

const refused = (message: string) => Object.assign(new Error(message), { code: 'ECONNREFUSED' });

it.each([
  ['the message', refused('connect ECONNREFUSED ::1:5432'), 'connect ECONNREFUSED ::1:5432'],
  // As of a host with several addresses, none of which answered.
  ['the code of an error without a message', refused(''), 'ECONNREFUSED'],
  ['the name of an error with neither', new TypeError(), 'TypeError'],
  ['what was thrown, where it is no error', 'gone', 'gone'],
])('a Postgres that does not answer is reported with %s', (_, error, reason) => {
  expect(unavailable('postgres://someone:secret@db/headrace', error)).toMatchObject({
    code: 'HR_STORAGE_UNAVAILABLE',
    message: expect.stringMatching(`^(?!.*secret).* does not answer: ${reason}\\. Check`),
    cause: error,
  });
});
