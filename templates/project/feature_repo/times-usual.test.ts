// Run by `node --test`; Headrace reads no *.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timesUsual } from './times-usual.ts';

test('a basket of twice the usual amount', () => {
  assert.equal(timesUsual(60, 30), 2);
});

test('a customer of whom nothing is known has no usual amount', () => {
  assert.equal(timesUsual(60, null), null);
  assert.equal(timesUsual(60, 0), null);
  assert.equal(timesUsual(null, 30), null);
});
