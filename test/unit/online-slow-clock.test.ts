// A server whose clock is slow, by less than the minute that is allowed, reads a row that others know already.

import { describe, expect, it } from 'vitest';
import { MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { createPartFolder, createRecordReader, createViewCodec, type StoredRecord } from '../../src/online/index.ts';
import { eventManifest } from '../support/event-definitions.ts';
import { baseOf, directoryOf, eventOf, recordOf, runRow } from '../support/fold-world.ts';

const NOW = 1_790_000_000_000_000;
const codec = createViewCodec(eventManifest(), 'v');
const reader = createRecordReader(codec, directoryOf([runRow(1, { asOf: NOW })]));
const event = (secondsAgo: number, x: number) =>
  eventOf(codec, { happened: NOW - secondsAgo * MICROS_PER_SECOND, x }, { writer: 1, offset: x });
const EVENTS = [event(600, 1), event(10, 2)];

/** `last_x` as a server reads it whose clock is so slow. */
function lastX(record: Partial<StoredRecord>, slowSeconds: number) {
  const view = reader.read(recordOf(record), NOW - slowSeconds * MICROS_PER_SECOND, MICROS_PER_MINUTE);
  return [view?.values[0], view?.statuses[0]];
}

describe('by a clock that is 30 seconds slow, a row of 10 seconds ago', () => {
  const fold = createPartFolder(codec).fold(undefined, EVENTS, NOW);
  const pushed = { parts: [{ writer: 1, cut: 1, boundary: -Infinity, fold }] };
  const materialized = { base: baseOf(codec, 1, NOW, EVENTS) };

  it('is read where it was pushed', () => {
    expect(lastX(pushed, 30)).toEqual([2, 'PRESENT']);
  });

  it('is read by a clock that is right where it was materialized', () => {
    expect(lastX(materialized, 0)).toEqual([2, 'PRESENT']);
  });

  it.fails('is read where it was materialized, as it was before (datapath/D1b)', () => {
    expect(lastX(materialized, 30)).toEqual([2, 'PRESENT']);
  });
});
