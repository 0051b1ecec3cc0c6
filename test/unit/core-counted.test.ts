import { expect, it } from 'vitest';
import { counted } from '../../src/core/index.ts';

it('tells a number of things, one of them in the singular', () => {
  expect([0, 1, 2].map((n) => counted(n, 'record'))).toEqual(['0 records', '1 record', '2 records']);
});
