// What is said of a value that a body's schema refused.

import { describe, expect, it } from 'vitest';
import { describeSchemaErrors, type SchemaError } from '../../src/serving/http/schema-mistakes.ts';

function wordsOf(data: unknown, parentSchema: object, more: Partial<SchemaError> = {}) {
  const error = { instancePath: '/rows/0/x', schemaPath: '#/x', keyword: 'type', params: {}, data, parentSchema };
  return describeSchemaErrors([{ ...error, ...more }]);
}

describe('a value that is refused', () => {
  it.each([Infinity, -Infinity])('is called a number past what a double holds where JSON’s digits gave %d', (value) => {
    expect(wordsOf(value, { type: 'number', minimum: 0 })).toEqual([
      { path: 'rows[0].x', message: 'expected number of at least 0, got a number past ±1.8e308' },
    ]);
  });

  it.each([
    [{ type: 'integer', minimum: 1, maximum: 9 }, 'whole number from 1 to 9'],
    [{ type: 'number', maximum: 9 }, 'number of at most 9'],
    [{ type: 'string', minLength: 1, maxLength: 3 }, 'text of 1 to 3 characters'],
    [{ type: 'array', minItems: 1 }, 'an array of at least 1 items'],
    [{ anyOf: [{ type: 'object' }, { const: null }, { enum: ['a', 'b'] }] }, 'an object, null or "a" or "b"'],
  ])('is held against %j in words', (schema, words) => {
    expect(wordsOf(true, schema)[0]?.message).toMatch(new RegExp(`^expected ${words}, got `));
  });

  it('is told with its length only where it is too long', () => {
    expect(wordsOf('abcd', { type: 'string', maxLength: 3 })[0]?.message).toMatch(/of 4 characters$/);
    expect(wordsOf('abc', { type: 'string', maxLength: 3 })[0]?.message).not.toMatch(/of 3 characters$/);
  });

  it('is told once for each place, and not for each type of a union', () => {
    const one = { instancePath: '/x', keyword: 'type', params: {}, data: true, parentSchema: { type: 'number' } };
    const errors = ['#/x/anyOf/0/type', '#/x', '#/x'].map((schemaPath) => ({ ...one, schemaPath }));
    expect(describeSchemaErrors(errors)).toHaveLength(1);
  });

  it('is placed at the member that is missing or unknown', () => {
    const missing = wordsOf({}, {}, { keyword: 'required', params: { missingProperty: 'y' } });
    expect(missing).toEqual([{ path: 'rows[0].x.y', message: 'is missing' }]);
    const unknown = { keyword: 'additionalProperties', params: { additionalProperty: 'valeu' }, instancePath: '' };
    expect(wordsOf({}, { properties: { value: {} } }, unknown)).toEqual([
      { path: 'valeu', message: expect.stringContaining('Did you mean "value"?') },
    ]);
  });
});
