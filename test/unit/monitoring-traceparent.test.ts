// The `traceparent` header of W3C Trace Context: what is one, and what is left alone.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTraceparent } from '../../src/monitoring/index.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

describe('a traceparent', () => {
  it('is read as it was written', () => {
    const hex = (digits: number) =>
      fc
        .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
        .map((all) => all.join(''))
        .filter((text) => !/^0+$/.test(text));
    const byte = fc.integer({ min: 0, max: 255 }).map((value) => value.toString(16).padStart(2, '0'));
    fc.assert(
      fc.property(hex(32), hex(16), byte, (traceId, parentId, flags) => {
        const isSampled = Number.parseInt(flags, 16) % 2 === 1;
        expect(parseTraceparent(`00-${traceId}-${parentId}-${flags}`)).toEqual({ traceId, parentId, isSampled });
      }),
    );
  });

  it.each([`01-${TRACE}-${PARENT}-01`, `fe-${TRACE}-${PARENT}-01-what-comes-later`])(
    'of a later version is read by what this one knows of it: %s',
    (header) => {
      expect(parseTraceparent(header)).toEqual({ traceId: TRACE, parentId: PARENT, isSampled: true });
    },
  );

  it.each([
    '',
    'hello',
    `ff-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-01-more`,
    `01-${TRACE}-${PARENT}-01more`,
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    ` 00-${TRACE}-${PARENT}-01`,
  ])('is none: %j', (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  it('is none where there is no header, or several', () => {
    expect(parseTraceparent(undefined)).toBeUndefined();
    expect(parseTraceparent([`00-${TRACE}-${PARENT}-01`])).toBeUndefined();
  });
});
