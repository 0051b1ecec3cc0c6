// A graph's document read from bytes that are none, or nearly one: told as that, and nothing else.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GraphDocument, readGraphDocument, writeGraphDocument } from '../../src/models/index.ts';

const artifact = fc
  .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 })
  .map((all) => all.join(''));
const name = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text !== '__proto__');
const documents: fc.Arbitrary<GraphDocument> = fc.record({
  format: fc.constant(1 as const),
  kind: fc.constant('graph' as const),
  nodes: fc.dictionary(name, fc.record({ model: name, version: fc.integer({ min: 1, max: 1e6 }), artifact }), {
    noNullPrototype: true,
  }),
  functions: fc.dictionary(name, artifact, { noNullPrototype: true }),
});

/** What reading them gives: the document, or the code that it throws. */
function read(bytes: Uint8Array): unknown {
  try {
    return readGraphDocument(bytes);
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? thrown;
  }
}

describe('a graph’s document', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(documents, (document) => {
        expect(read(writeGraphDocument(document))).toEqual(document);
      }),
    );
  });

  it('is refused where it is anything else', () => {
    const none = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(none, (bytes) => {
        expect(read(bytes)).toBe('HR_MODEL_UNREADABLE');
      }),
    );
  });

  it('is refused where a part of it is another', () => {
    const parts = fc.constantFrom('format', 'kind', 'nodes', 'functions');
    const wrong = fc.oneof(fc.constant(undefined), fc.constant(null), fc.integer({ min: 2 }), fc.constant(['x']));
    fc.assert(
      fc.property(documents, parts, wrong, (document, part, value) => {
        expect(read(Buffer.from(JSON.stringify({ ...document, [part]: value })))).toBe('HR_MODEL_UNREADABLE');
      }),
    );
  });

  it('is refused where it is cut, or a byte is another, unless it still is one', () => {
    fc.assert(
      fc.property(documents, fc.nat(), fc.nat({ max: 255 }), (document, place, byte) => {
        const bytes = Uint8Array.from(writeGraphDocument(document));
        expect(read(bytes.subarray(0, place % bytes.length))).toBe('HR_MODEL_UNREADABLE');
        bytes[place % bytes.length] = byte;
        const found = read(bytes);
        if (found !== 'HR_MODEL_UNREADABLE') expect(found).toMatchObject({ format: 1, kind: 'graph' });
      }),
    );
  });
});
