// What a run's bases count of the writers' logs, and which parts lie beside them.

import { describe, expect, it } from 'vitest';
import {
  boundaryOf,
  type Coverage,
  coveredCut,
  coverageFromJson,
  coverageToJson,
  isBeside,
  isCovered,
  NOTHING_COVERED,
} from '../../src/online/runs/coverage.ts';

const coverage: Coverage = {
  floor: 3,
  cuts: new Map([
    [2, 5],
    [7, 4],
    [8, Infinity],
  ]),
};

describe('a coverage', () => {
  it('counts the cuts of a writer up to its last, all of one below the floor, and none of another', () => {
    for (const [writer, cut, wanted] of [
      [2, 5, true],
      [2, 6, false],
      [1, 99, true],
      [3, 1, false],
      [7, 4, true],
      [7, 5, false],
      [8, 99, true],
    ] as const)
      expect(isCovered(coverage, writer, cut), `writer ${writer}, cut ${cut}`).toBe(wanted);
    expect([1, 2, 3, 7, 8].map((writer) => coveredCut(coverage, writer))).toEqual([Infinity, 5, 0, 4, Infinity]);
    expect(isCovered(NOTHING_COVERED, 0, 0)).toBe(false);
  });

  it('comes back from JSON, with what is counted whole', () => {
    expect(coverageFromJson(JSON.parse(JSON.stringify(coverageToJson(coverage))))).toEqual(coverage);
  });
});

it('a part lies beside a base that does not count it, where it is not of a boundary before', () => {
  const row = { coverage, boundary: 10 };
  const isSo = (boundary: number, cut: number): boolean => isBeside(row, { writer: 7, cut, boundary });
  expect([isSo(10, 5), isSo(11, 5), isSo(9, 5), isSo(10, 4)]).toEqual([true, true, false, false]);
});

it('an event goes to the greatest boundary below its time', () => {
  expect(boundaryOf([5, 20, 10], 15)).toBe(10);
  expect(boundaryOf([5, 20, 10], 10)).toBe(5);
  expect(boundaryOf([-Infinity], 0)).toBe(-Infinity);
  expect([boundaryOf([5], 5), boundaryOf([], 5)]).toEqual([undefined, undefined]);
});
