// Which rows of the audit log are about a revision of an endpoint's traffic.

import { expect, it } from 'vitest';
import { rowsAbout } from '../../src/registry/traffic-revision.ts';

it.each([
  ['have the change that made it', { revision: 2, variants: [] }, true],
  ['lack a change that only names it within', { revision: 3, before: { revision: 2, variants: [] } }, false],
  ['lack a refused change', { refused: 'HR_CONFLICT', revision: 2, variants: [] }, false],
  ['lack a change that wrote nothing', null, false],
])('the rows about a revision %s', (_, after, isAbout) => {
  const row = { id: 1, at: 7, action: 'endpoint.traffic' };
  const found = rowsAbout(2, [{ ...row, after: after && JSON.stringify(after) }]);
  expect(found).toEqual(isAbout ? [{ ...row, told: after }] : []);
});
