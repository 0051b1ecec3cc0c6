// What a prediction's id tells of it, to whoever hears of an outcome later.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPredictionIds, predictionMark, readPredictionId } from '../../src/core/index.ts';

it('has the revision, the version and the unit’s hash', () => {
  const next = createPredictionIds();
  const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 31 }), uint32, (...given) => {
      const [revision, version, unitHash] = given;
      expect(readPredictionId(next(predictionMark(revision, version), unitHash))).toEqual({
        revision,
        version,
        unitHash,
      });
    }),
  );
});

it('is unique within a process, and begins with what no other process has', () => {
  const next = createPredictionIds('one');
  const ids = Array.from({ length: 100 }, () => next(predictionMark(1, 2), 3));
  expect(new Set(ids).size).toBe(100);
  expect(ids[35]).toBe('one-z.1.2.3');
});

it('begins with no dash, which a command would take for an option', () => {
  // One in 64 random texts does.
  const ids = Array.from({ length: 2000 }, () => createPredictionIds()(predictionMark(1, 2), 3));
  expect(ids.filter((id) => id.startsWith('-'))).toEqual([]);
});

it.each([
  '',
  'abc',
  'one-z',
  'one-z.1.2',
  'one-z.1.2.3.4',
  'one-z.1.2.zzzzzzz',
  'one-z.1.2.3\n',
  '-.1.2.3',
  'a-1.A.2.3',
])('tells nothing where it is of another form: %j', (id) => expect(readPredictionId(id)).toBeUndefined());
