// The shortest digits that read as a double, without making a text: for doubles whose digits fill it, several times as
// quick as the engine. Where the arithmetic below can't be sure it gives −1, and the engine decides.
//
// A double v times a power of ten that is itself a double is, as a pair hi + lo, exact (Dekker, "A floating-point technique
// for extending the available precision", 1971). So is half the gap to v's neighbours, a power of two, times that power.
// The power is chosen so that v has 17 digits before its point; whatever reads as v lies less than that half gap away.
// Of the 17-digit numbers there is always one; if a multiple of ten is as near, the digits are fewer.

const scratch = new Float64Array(1);
const bits = new Uint32Array(scratch.buffer);
/** Of a double's two halves, the one with its exponent. */
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;

const SMALLEST = 1e-5;
/** From here on doubles have no more than one digit after the point, which is written otherwise. */
const GREATEST = 1e15;
const FIRST_17_DIGITS = 1e16;
const PAST_17_DIGITS = 1e17;
const LOW_DIGITS = 1e9;

/** Powers of ten that are doubles, each also as two of half its bits. */
const powers = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const SPLITTER = 2 ** 27 + 1;
const highs = powers.map(highHalf);
const lows = powers.map((power, at) => power - (highs[at] as number));

/** Half the gap between doubles of a biased exponent, from that of `SMALLEST` on. */
const FIRST_EXPONENT = 1000;
const LAST_EXPONENT = 1080;
const halfGaps = Float64Array.from(
  { length: LAST_EXPONENT - FIRST_EXPONENT },
  (_, at) => 2 ** (FIRST_EXPONENT + at - 1023 - 53),
);

/** How far from a border between two answers the sum of `low` and a rest may be wrong: it is of at most 31 bits before the point. */
const DOUBT = 2 ** -18;

function highHalf(value: number): number {
  const product = SPLITTER * value;
  return product - (product - value);
}

const ZERO = 48;
const POINT = 46;
const digits = new Uint8Array(17);

/** Writes a positive number at `at`; gives where it ended, or −1 for one that is not this function's to write. */
export function writeShortest(bytes: Uint8Array, at: number, value: number): number {
  if (!(value >= SMALLEST && value < GREATEST)) return -1;
  scratch[0] = value;
  const high = bits[HIGH] as number;
  // The gap below a power of two is half of that above. By the first half of the bits the few doubles just above one look alike: the
  // engine writes them, too.
  if ((high & 0xfffff) === 0) return -1;
  const exponent = high >>> 20;
  // log10(2) × 2^20; the power is one too great at most.
  let power = 16 - (((exponent - 1023) * 315_653) >> 20);
  if (power > 22) power = 22;
  let hi = value * (powers[power] as number);
  if (hi >= PAST_17_DIGITS) hi = value * (powers[--power] as number);
  if (!(hi > FIRST_17_DIGITS && hi < PAST_17_DIGITS)) return -1;
  const valueHigh = highHalf(value);
  const valueLow = value - valueHigh;
  const powerHigh = highs[power] as number;
  const powerLow = lows[power] as number;
  const lo = valueHigh * powerHigh - hi + valueHigh * powerLow + valueLow * powerHigh + valueLow * powerLow;
  const half = (halfGaps[exponent - FIRST_EXPONENT] as number) * (powers[power] as number);

  const upper = Math.floor(hi / LOW_DIGITS);
  const rest = hi - upper * LOW_DIGITS + lo;
  const lower = nearestOf(rest, half);
  if (!(lower >= 0 && lower < LOW_DIGITS)) return -1;
  return writeDigits(bytes, at, upper, lower, 17 - power);
}

/** The multiple of 100, else of 10, else of 1 that is nearer to `rest` than `half`; −1 where it is close. */
function nearestOf(rest: number, half: number): number {
  for (let unit = 100; unit > 1; unit /= 10) {
    const multiple = Math.round(rest / unit) * unit;
    const distance = Math.abs(multiple - rest);
    if (Math.abs(distance - half) < DOUBT) return -1;
    if (distance < half) return Math.abs(distance - unit / 2) < DOUBT ? -1 : multiple;
  }
  const whole = Math.round(rest);
  return Math.abs(Math.abs(whole - rest) - 0.5) < DOUBT ? -1 : whole;
}

/** Of the digits of `upper` (8) and `lower` (9), `before` stand before the point; zeros at the end are left out. */
function writeDigits(bytes: Uint8Array, from: number, upper: number, lower: number, before: number): number {
  let left = upper | 0;
  for (let to = 7; to >= 0; to--) {
    const rest = (left / 10) | 0;
    digits[to] = ZERO + left - rest * 10;
    left = rest;
  }
  left = lower | 0;
  for (let to = 16; to >= 8; to--) {
    const rest = (left / 10) | 0;
    digits[to] = ZERO + left - rest * 10;
    left = rest;
  }
  let count = 17;
  while (digits[count - 1] === ZERO) count--;
  let at = from;
  let next = 0;
  if (before <= 0) bytes[at++] = ZERO;
  else for (; next < before; next++) bytes[at++] = digits[next] as number;
  if (next >= count) return at;
  bytes[at++] = POINT;
  for (let zeros = before; zeros < 0; zeros++) bytes[at++] = ZERO;
  while (next < count) bytes[at++] = digits[next++] as number;
  return at;
}
