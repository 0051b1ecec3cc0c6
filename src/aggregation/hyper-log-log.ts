// A HyperLogLog sketch (Flajolet et al. 2007) of 4,096 registers with Ertl's estimator (2017, "New cardinality
// estimation algorithms for HyperLogLog sketches"): relative standard error 1.04 / √4096 = 1.6 % at any size.

const PRECISION = 12;
const REGISTERS = 1 << PRECISION;
/** Bits of a hash that count zeros. */
const TAIL_BITS = 64 - PRECISION;

/** One byte a register; merging takes the greater of each. */
export type Sketch = Uint8Array;

/** What can be counted: a text, a number (−0 is 0, every NaN is one), a whole number beyond 2^53. */
export type Countable = string | number | bigint;

export function createSketch(): Sketch {
  return new Uint8Array(REGISTERS);
}

export function addToSketch(sketch: Sketch, value: Countable): void {
  hash(value);
  const register = high >>> (32 - PRECISION);
  const tail = (high << PRECISION) >>> 0;
  const zeros = tail !== 0 ? Math.clz32(tail) : 32 - PRECISION + Math.clz32(low);
  const rank = Math.min(zeros, TAIL_BITS) + 1;
  if (rank > (sketch[register] as number)) sketch[register] = rank;
}

export function mergeSketch(into: Sketch, from: Sketch): void {
  for (let i = 0; i < REGISTERS; i++) if ((from[i] as number) > (into[i] as number)) into[i] = from[i] as number;
}

/** How many distinct values were added, rounded. */
export function estimate(sketch: Sketch): number {
  const histogram = new Float64Array(TAIL_BITS + 2);
  for (const rank of sketch) histogram[rank] = (histogram[rank] as number) + 1;
  let z = REGISTERS * tau(1 - (histogram[TAIL_BITS + 1] as number) / REGISTERS);
  for (let rank = TAIL_BITS; rank >= 1; rank--) z = 0.5 * (z + (histogram[rank] as number));
  z += REGISTERS * sigma((histogram[0] as number) / REGISTERS);
  return Math.round((REGISTERS * REGISTERS) / (2 * Math.LN2 * z));
}

function sigma(start: number): number {
  if (start === 1) return Infinity;
  let x = start;
  let y = 1;
  let z = x;
  for (;;) {
    x *= x;
    const before = z;
    z += x * y;
    y += y;
    if (z === before) return z;
  }
}

function tau(start: number): number {
  if (start === 0 || start === 1) return 0;
  let x = start;
  let y = 1;
  let z = 1 - x;
  for (;;) {
    x = Math.sqrt(x);
    const before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
    if (z === before) return z / 3;
  }
}

// The 64 bits of the last hash: two MurmurHash3 lanes (Appleby) over 32-bit words. The same on every machine.
let high = 0;
let low = 0;
const double = new DataView(new ArrayBuffer(8));

function hash(value: Countable): void {
  high = 0x9747b28c;
  low = 0x3c6ef372;
  if (typeof value === 'number') {
    double.setFloat64(0, value === 0 ? 0 : Number.isNaN(value) ? Number.NaN : value);
    mix(double.getUint32(0));
    mix(double.getUint32(4));
    finish(8);
  } else {
    const text = typeof value === 'bigint' ? value.toString() : value;
    for (let i = 0; i < text.length; i += 2) mix(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    finish(text.length * 2);
  }
}

function mix(word: number): void {
  let a = Math.imul(word, 0xcc9e2d51);
  a = Math.imul((a << 15) | (a >>> 17), 0x1b873593);
  high ^= a;
  high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0;
  let b = Math.imul(word, 0x85ebca6b);
  b = Math.imul((b << 16) | (b >>> 16), 0xc2b2ae35);
  low ^= b;
  low = (Math.imul((low << 17) | (low >>> 15), 5) + 0x38b34ae5 + high) | 0;
}

function finish(length: number): void {
  high = avalanche(high ^ length);
  low = avalanche((low ^ length) + high);
  high = (high + low) >>> 0;
  low >>>= 0;
}

function avalanche(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
