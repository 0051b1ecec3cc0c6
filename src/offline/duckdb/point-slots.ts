// Points in memory, each with a slot for the best of the events that first become visible at it. An event finds its slot
// by its known time, so events may come in any order, and nothing of them is sorted or kept; what a point sees is the best
// of its slot and of those before it of the same key.

/** Columns of points, sorted by (key, time). */
export interface SortedPoints {
  readonly keys: Int32Array;
  readonly times: Float64Array;
  readonly spineRows: Float64Array;
}

/** Columns of events, each of a key that lies between the first and the last of the points. */
export interface EventNumbers {
  readonly keys: Int32Array;
  readonly known: Float64Array;
  readonly events: Float64Array;
  readonly rows: Float64Array;
}

export interface PointSlots {
  add(events: EventNumbers): void;
  /** What each point sees, once all events are added. */
  winners(): Winners;
}

/** Of the points that see an event: the spine row, and the event's row. */
export interface Winners {
  readonly size: number;
  readonly spineRows: Float64Array;
  readonly rows: Float64Array;
  /** Winners that tie with others in event and known time, each once. */
  readonly ties: readonly TiedWinner[];
}

export interface TiedWinner {
  readonly row: number;
  readonly key: number;
  readonly event: number;
  readonly known: number;
}

// A slot's numbers, side by side: one line of the processor's cache. An event's, as it waits in its bucket, are of as many.
const EVENT = 0;
const KNOWN = 1;
const ROW = 2;
const IS_TIED = 3;
const KEY = 3;
const WIDTH = 4;

/** Events that a bucket holds, and about how many points one is for: both fit the processor's nearer cache. */
const BUCKET_EVENTS = 2048;
const BUCKET_POINTS = 1024;
const MOST_BUCKETS = 1024;

/**
 * No event older than `ttl` is seen; one exactly as old is. With `boundary` 'before' an event must have been known before
 * a point's time.
 */
export function createPointSlots(points: SortedPoints, ttl: number, boundary: 'at' | 'before'): PointSlots {
  const { keys, times } = points;
  const firstKey = keys[0] ?? 0;
  const starts = startsOf(keys, firstKey);
  const slots = new Float64Array(times.length * WIDTH).fill(-Infinity);
  // Times are whole: what must be known before a time must be known a microsecond earlier.
  const delay = boundary === 'before' ? 1 : 0;
  // An event of a random key waits for memory at every step among a million slots. Gathered by ranges of keys first, and
  // folded a bucketful at a time, events take half as long.
  const { count, shift } = bucketsFor(starts.length - 1, times.length);
  const length = BUCKET_EVENTS * WIDTH;
  const buckets = new Float64Array(count * length);
  const ends = Int32Array.from({ length: count }, (_, bucket) => bucket * length);

  // The loops call no function for an event: a number passed to one becomes an object.
  const fold = (bucket: number): void => {
    const from = bucket * length;
    const to = ends[bucket] as number;
    ends[bucket] = from;
    for (let i = from; i < to; i += WIDTH) {
      const event = buckets[i + EVENT] as number;
      const known = buckets[i + KNOWN] as number;
      const key = buckets[i + KEY] as number;
      let low = starts[key] as number;
      const end = starts[key + 1] as number;
      let high = end;
      const visible = known + delay;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((times[middle] as number) < visible) low = middle + 1;
        else high = middle;
      }
      // Known after the key's last point; or too old at this one, and so at all that follow.
      if (low === end || event < (times[low] as number) - ttl) continue;
      const at = low * WIDTH;
      const best = slots[at + EVENT] as number;
      if (event < best) continue;
      if (event === best) {
        const bestKnown = slots[at + KNOWN] as number;
        if (known < bestKnown) continue;
        if (known === bestKnown) {
          slots[at + IS_TIED] = 1;
          continue;
        }
      }
      slots[at + EVENT] = event;
      slots[at + KNOWN] = known;
      slots[at + ROW] = buckets[i + ROW] as number;
      slots[at + IS_TIED] = 0;
    }
  };

  return {
    add({ keys: of, known, events, rows }) {
      for (let i = 0; i < of.length; i++) {
        const key = (of[i] as number) - firstKey;
        const bucket = key >>> shift;
        const at = ends[bucket] as number;
        buckets[at + EVENT] = events[i] as number;
        buckets[at + KNOWN] = known[i] as number;
        buckets[at + ROW] = rows[i] as number;
        buckets[at + KEY] = key;
        ends[bucket] = at + WIDTH;
        if (at + WIDTH === (bucket + 1) * length) fold(bucket);
      }
    },
    winners() {
      for (let bucket = 0; bucket < count; bucket++) fold(bucket);
      return winnersOf(points, slots, ttl);
    },
  };
}

/** How many buckets, and a key's: the key shifted to the right. */
function bucketsFor(keys: number, points: number): { readonly count: number; readonly shift: number } {
  const wanted = Math.min(MOST_BUCKETS, Math.max(1, points / BUCKET_POINTS));
  const shift = Math.max(0, Math.ceil(Math.log2(Math.max(1, keys) / wanted)));
  return { count: (Math.max(0, keys - 1) >>> shift) + 1, shift };
}

function winnersOf({ keys, times, spineRows }: SortedPoints, slots: Float64Array, ttl: number): Winners {
  const found = { spineRows: new Float64Array(times.length), rows: new Float64Array(times.length) };
  const ties: TiedWinner[] = [];
  let size = 0;
  let key = -1;
  let best = -1;
  let isNoted = false;
  for (let point = 0; point < times.length; point++) {
    if (keys[point] !== key) {
      key = keys[point] as number;
      best = -1;
    }
    const at = point * WIDTH;
    const event = slots[at + EVENT] as number;
    // Of two with the same event time the later slot's was known later, so no tie spans two slots.
    if (event > -Infinity && (best < 0 || event >= (slots[best + EVENT] as number))) {
      best = at;
      isNoted = false;
    }
    if (best < 0 || (slots[best + EVENT] as number) < (times[point] as number) - ttl) continue;
    const row = slots[best + ROW] as number;
    if (slots[best + IS_TIED] === 1 && !isNoted) {
      ties.push({ row, key, event: slots[best + EVENT] as number, known: slots[best + KNOWN] as number });
      isNoted = true;
    }
    found.spineRows[size] = spineRows[point] as number;
    found.rows[size++] = row;
  }
  return { size, ...found, ties };
}

/** Where each key's points begin, from `firstKey` on; one more, where the last one's end. */
function startsOf(keys: Int32Array, firstKey: number): Int32Array {
  const starts = new Int32Array((keys.at(-1) ?? firstKey) - firstKey + 2);
  for (const key of keys) starts[key - firstKey + 1] = (starts[key - firstKey + 1] as number) + 1;
  for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  return starts;
}
