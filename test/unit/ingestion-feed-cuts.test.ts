// What cuts hold of a feed, joined into few parts.

import { describe, expect, it } from 'vitest';
import { merged } from '../../src/ingestion/feed-cuts.ts';
import type { FeedPart } from '../../src/ingestion/feed-key.ts';

describe('parts of a feed', () => {
  it.each<[string, readonly (readonly [number, number])[], readonly (readonly [number, number])[]]>([
    [
      'touch',
      [
        [0, 3],
        [3, 5],
      ],
      [[0, 5]],
    ],
    [
      'overlap',
      [
        [0, 4],
        [2, 5],
      ],
      [[0, 5]],
    ],
    [
      'leave a gap',
      [
        [0, 3],
        [4, 5],
      ],
      [
        [0, 3],
        [4, 5],
      ],
    ],
    [
      'lie in one another',
      [
        [0, 9],
        [2, 5],
        [7, 8],
        [9, 12],
      ],
      [[0, 12]],
    ],
    [
      'are the place where it began',
      [
        [4, 4],
        [4, 6],
      ],
      [[4, 6]],
    ],
  ])('are joined where they %s', (_, given, joined) => {
    const partsOf = (spans: typeof given): FeedPart[] => spans.map(([first, next]) => ({ first, next }));
    expect(merged(partsOf(given))).toEqual(partsOf(joined));
  });
});
