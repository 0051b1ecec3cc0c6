import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/core/index.ts';

describe('JSON of numbers', () => {
  it.each([
    ['9007199254740993', 9007199254740993n],
    [' -9007199254740993', -9007199254740993n],
    ['[1,9007199254740993]', [1, 9007199254740993n]],
    ['[\n9007199254740993]', [9007199254740993n]],
    ['{"a":9007199254740993}', { a: 9007199254740993n }],
    ['{"a": [0.8414709848078965, 123456789012345678]}', { a: [0.8414709848078965, 123456789012345678n] }],
    ['0.8414709848078965', 0.8414709848078965],
    ['123456789012345678.5', Number('123456789012345678.5')],
    ['1.5e16', 1.5e16],
  ])('reads %s', (text, value) => {
    expect(parseJson(text)).toEqual(value);
  });

  it('reads a whole number that is far beyond any column’s as JSON does', () => {
    const digits = '9'.repeat(3_900_000);
    expect(parseJson(`{"a":[${digits},-${digits}]}`)).toEqual({ a: [Infinity, -Infinity] });
    expect(parseJson('1'.padEnd(40, '0'))).toBe(10n ** 39n);
    expect(parseJson('-1'.padEnd(42, '0'))).toBe(-1e40);
  });

  it('keeps every digit of a whole number, wherever it stands', () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(10n ** 40n) + 1n, max: 10n ** 40n - 1n }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    );
    const space = fc.stringMatching(/^[ \n\t\r]?$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(space, number), { minLength: 1 }), (items) => {
        const text = `[${items.map(([before, item]) => `${before}${String(item)}`).join(',')}]`;
        const read = parseJson(text) as readonly (number | bigint)[];
        items.forEach(([, item], i) => {
          if (typeof item === 'bigint') expect(BigInt(read[i] as number)).toBe(item);
          // As text −0 is 0.
          else expect(Number(read[i])).toBe(item === 0 ? 0 : item);
        });
      }),
    );
  });
});
