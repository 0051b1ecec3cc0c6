// Batches of a feed by their keys, the parts of a feed that a cut has, and the parts of records that it holds in memory.

import { describe, expect, it } from 'vitest';
import type { EncodedKey } from '../../src/core/index.ts';
import { merged } from '../../src/ingestion/feed-cuts.ts';
import { createFeedSet, feedOf, partOfStep, stepClaim, stepKey } from '../../src/ingestion/feed-key.ts';
import { createPartTable } from '../../src/ingestion/part-table.ts';

const feed = { source: 's', feed: 'topic "t", partition 3' };

describe('a batch of a feed', () => {
  it('says in its key where it lies, and no key that somebody sends is taken for one', () => {
    const key = stepKey(feed, 5, 9);
    expect(feedOf({ source: 's', key })).toEqual(feed);
    expect(partOfStep(key)).toEqual({ first: 5, next: 9 });
    for (const other of [undefined, { key: 'feed ["t",5]', hash: 'x' }, { key: '', hash: '' }])
      expect(feedOf({ source: 's', ...(other && { key: other }) })).toBeUndefined();
  });

  it('claims the place where it begins, wherever it ends', () => {
    expect(stepClaim(feed, 5)).not.toBe(stepClaim(feed, 6));
    expect(stepClaim(feed, 5)).not.toBe(stepClaim({ ...feed, source: 'other' }, 5));
    expect(stepKey(feed, 5, 9).key).toBe(stepKey(feed, 5, 10).key);
  });
});

it('parts that touch are one, in whatever order they come, and each feed is there once', () => {
  const feeds = createFeedSet();
  for (const [first, next] of [
    [0, 2],
    [6, 9],
    [4, 6],
    [2, 3],
  ] as const)
    feeds.add({ ...feed }, { first, next });
  feeds.add({ ...feed, feed: 'other' });
  feeds.add({ ...feed }, { first: 3, next: 4 });
  const [own, other, ...more] = [...feeds.all];
  expect(own).toEqual({ feed, parts: [{ first: 0, next: 9 }] });
  expect([other?.parts, more]).toEqual([[], []]);
});

it('parts of records are found by version and boundary, and their bytes are counted as they grow and shrink', () => {
  const table = createPartTable(1, 2);
  const key = new Uint8Array(10) as EncodedKey;
  const shelf = table.shelf('e', 'v@1', 5);
  const part = shelf.add('k', key);
  expect(table.shelf('e', 'v@1', 5).find('k')).toBe(part);
  expect([table.shelf('e', 'v@1', 6).find('k'), table.shelf('e', 'v@2', 5).find('k')]).toEqual([undefined, undefined]);
  const empty = table.bytes;
  table.put(part, new Uint8Array(100));
  table.put(part, new Uint8Array(30));
  expect([table.bytes - empty, table.size, [...table.all()]]).toEqual([30, 1, [part]]);
});

it.each([
  ['touch', '0-3 3-5', '0-5'],
  ['overlap', '0-4 2-5', '0-5'],
  ['leave a gap', '0-3 4-5', '0-3 4-5'],
  ['lie in one another', '0-9 2-5 7-8 9-12', '0-12'],
  ['are the place where it began', '4-4 4-6', '4-6'],
])('parts of a feed are joined where they %s', (_, given, joined) => {
  const partsOf = (text: string) =>
    text.split(' ').map((part) => {
      const [first = 0, next = 0] = part.split('-').map(Number);
      return { first, next };
    });
  expect(merged(partsOf(given))).toEqual(partsOf(joined));
});
