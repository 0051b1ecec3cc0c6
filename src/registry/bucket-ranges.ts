// Which buckets each variant of an endpoint has: half-open ranges that the registry stores, so that a change of weights moves
// the fewest units there can be, and a ramp moves nobody but those it is for.

/** Buckets that a unit's hash falls into: hundredths of a percent. */
export const BUCKETS = 10_000;

/** `from` is in it, `to` is not. */
export type BucketRange = readonly [from: number, to: number];

export interface BucketHolder {
  readonly name: string;
  readonly version: number;
  readonly ranges: readonly BucketRange[];
}

export interface BucketAsker {
  readonly name: string;
  readonly version: number;
  /** Percent, in steps of 0.01; all sum to 100. */
  readonly weight: number;
}

const NOBODY = -1;

/**
 * The ranges of those in `asked`, in their order: ascending, and no bucket twice or left out.
 *
 * Who stays is known by its name; who has another name, by a version that nobody else has any more. One that shrinks gives
 * from its end, one that grows takes of what is given alone, so Σ max(0, before − after) buckets move, the least that can.
 * Where nobody had any, all are the base's before.
 */
export function moveBuckets(before: readonly BucketHolder[], asked: readonly BucketAsker[]): BucketRange[][] {
  const owners = new Int16Array(BUCKETS).fill(before.length === 0 ? baseOf(asked) : NOBODY);
  const stay = matchHolders(before, asked);
  before.forEach(({ ranges }, at) => {
    const owner = stay.indexOf(at);
    for (const [from, to] of ranges) owners.fill(owner, from, to);
  });
  const lacking = asked.map(({ weight }) => Math.round(weight * 100));
  for (const owner of owners) if (owner !== NOBODY) lacking[owner] = (lacking[owner] ?? 0) - 1;
  for (let bucket = BUCKETS - 1; bucket >= 0; bucket--) {
    const owner = owners[bucket] as number;
    if (owner === NOBODY || (lacking[owner] as number) >= 0) continue;
    owners[bucket] = NOBODY;
    lacking[owner] = (lacking[owner] as number) + 1;
  }
  let taker = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    if (owners[bucket] !== NOBODY) continue;
    while ((lacking[taker] ?? 1) <= 0) taker++;
    owners[bucket] = taker;
    lacking[taker] = (lacking[taker] ?? 0) - 1;
  }
  return asked.map((_, owner) => rangesOf(owners, owner));
}

/** Place of the one that has what nobody else is given: the one named `stable`, else the first. */
export function baseOf(variants: readonly { readonly name: string }[]): number {
  return Math.max(
    variants.findIndex(({ name }) => name === 'stable'),
    0,
  );
}

/** How many buckets they have. */
export function widthOf(ranges: readonly BucketRange[]): number {
  let width = 0;
  for (const [from, to] of ranges) width += to - from;
  return width;
}

/** By place in `asked`, the place of who it was before; −1 for who is new. */
function matchHolders(before: readonly BucketHolder[], asked: readonly BucketAsker[]): number[] {
  const stay = asked.map(({ name }) => before.findIndex((one) => one.name === name));
  return stay.map((at, place) => {
    if (at >= 0) return at;
    const { version } = asked[place] as BucketAsker;
    const renamed = before.findIndex((one, other) => one.version === version && !stay.includes(other));
    if (renamed >= 0) stay[place] = renamed;
    return renamed;
  });
}

function rangesOf(owners: Int16Array, owner: number): BucketRange[] {
  const ranges: BucketRange[] = [];
  for (let from = owners.indexOf(owner); from >= 0; ) {
    let to = from;
    while (owners[to] === owner) to++;
    ranges.push([from, to]);
    from = owners.indexOf(owner, to);
  }
  return ranges;
}
