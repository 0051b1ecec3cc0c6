// Random pipelines, with groups in groups: what is written is what the manifest has, before and after JSON; and who may need
// whom, and what goes in a circle, is as a reference says that a reader can follow.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, contentHash, parseJson } from '../../src/core/index.ts';
import { checkManifest, type PipelineSpec } from '../../src/definitions/index.ts';
import { grid, pipeline, python, range } from '../../src/index.ts';
import { compile, mistakesOf, type Untyped } from '../support/written-definitions.ts';
import { runs } from '../support/tier.ts';

/** A step, or a group of what is `inside`. `picks` choose among names, whoever has them. */
interface Drawn {
  readonly inside: readonly Drawn[] | null;
  readonly picks: readonly number[];
  readonly over: number;
  readonly options: Untyped;
}

/** The same with its name, and the names of the groups around it, outermost first. */
interface Placed {
  readonly name: string;
  readonly kind: 'step' | 'group';
  readonly around: readonly string[];
  readonly drawn: Drawn;
  readonly inside: readonly Placed[];
}

const SECRET = fc.constantFrom({ env: 'X' }, { file: '/x' });
const OPTIONS = fc.record(
  {
    retry: fc.oneof(fc.nat(5), fc.record({ times: fc.nat(5), jitter: fc.double({ min: 0, max: 1, noNaN: true }) })),
    timeout: fc.constantFrom('1s', '5m', '1d'),
    after: fc.constant('end'),
    catch: fc.boolean(),
    cache: fc.boolean(),
    isolate: fc.boolean(),
    parallel: fc.integer({ min: 1, max: 9 }),
    pool: fc.constantFrom('a', 'warehouse'),
    executor: fc.constantFrom('local', 'fleet', { kind: 'aws-batch', queue: 'q', definition: 'd' }),
    env: fc.dictionary(fc.stringMatching(/^[A-Z]{1,3}$/), fc.string(), { maxKeys: 2 }),
    secrets: fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), SECRET, { maxKeys: 2 }),
  },
  { requiredKeys: [] },
);

/** Of so many groups in groups. */
function drawn(depth: number): fc.Arbitrary<Drawn> {
  const parts = { picks: fc.array(fc.nat(), { maxLength: 3 }), over: fc.nat(7), options: OPTIONS };
  const step = fc.record({ inside: fc.constant(null), ...parts });
  if (depth === 0) return step;
  const inside = fc.array(drawn(depth - 1), { minLength: 1, maxLength: 3 });
  return fc.oneof(step, fc.record({ inside, ...parts }));
}
const tops = fc.array(drawn(3), { minLength: 1, maxLength: 5 });

function place(all: readonly Drawn[], around: readonly string[], names: { next: number }): Placed[] {
  return all.map((one) => {
    const kind = one.inside === null ? 'step' : 'group';
    const name = `${kind}${names.next++}`;
    return { name, kind, around, drawn: one, inside: place(one.inside ?? [], [...around, name], names) };
  });
}

const everyOne = (placed: readonly Placed[]): Placed[] => placed.flatMap((one) => [one, ...everyOne(one.inside)]);

/** What is around one, or beside what is: what a row of it can tell apart. */
function mayNeed(owner: Placed, needed: Placed): boolean {
  if (owner.around.includes(needed.name)) return false;
  return needed.around.every((group, depth) => owner.around[depth] === group);
}

/** What each needs, by name; `among` are those that it may choose from. */
type Chosen = ReadonlyMap<string, readonly string[]>;
function choose(all: readonly Placed[], among: (owner: Placed) => readonly Placed[]): Chosen {
  return new Map(
    all.map((owner) => {
      const known = among(owner);
      // A group needs at most what it is over.
      const picks =
        owner.kind === 'group' ? owner.drawn.picks.slice(0, owner.drawn.over < 3 ? 1 : 0) : owner.drawn.picks;
      const names = picks.flatMap((pick) => known[pick % Math.max(known.length, 1)]?.name ?? []);
      return [owner.name, [...new Set(names)]];
    }),
  );
}

/** By names where `objects` has none: plain JavaScript may write so, and only so can a circle be written. */
function write(placed: readonly Placed[], chosen: Chosen, objects: Map<string, Untyped>): Untyped {
  const p: Untyped = pipeline('p');
  const objectOf = (name: string): Untyped => objects.get(name) ?? name;
  const add = (to: Untyped, one: Placed): Untyped => {
    const needed = chosen.get(one.name) ?? [];
    if (one.kind === 'group') {
      const items = needed.length > 0 ? objectOf(needed[0] ?? '') : itemsOf(one.drawn.over);
      const made = to.foreach(one.name, items, (q: Untyped) => one.inside.map((inner) => add(q, inner)).at(-1));
      objects.set(one.name, made);
      return made;
    }
    const needs = Object.fromEntries(needed.map((name, at) => [`need${at}`, objectOf(name)]));
    const made = to.step(one.name, python('x.py'), { needs, ...one.drawn.options });
    objects.set(one.name, made);
    return made;
  };
  for (const one of placed) add(p, one);
  return p;
}

const itemsOf = (over: number): Untyped => [[1, 'a'], range(over), grid({ a: [1], b: ['x', null] }), []][over % 4];

/** Whether everything ends, looked at again and again until nothing more does. */
function allEnd(all: readonly Placed[], chosen: Chosen): boolean {
  const open = new Set<string>();
  const ended = new Set<string>();
  const hasNeeds = ({ name }: Placed): boolean => (chosen.get(name) ?? []).every((need) => ended.has(need));
  const isReached = ({ around }: Placed): boolean => around.every((group) => open.has(group));
  for (let before = -1; before !== open.size + ended.size; ) {
    before = open.size + ended.size;
    for (const one of all) {
      if (one.kind === 'group' && isReached(one) && hasNeeds(one)) open.add(one.name);
      const isDone =
        one.kind === 'group' ? open.has(one.name) && one.inside.every(({ name }) => ended.has(name)) : hasNeeds(one);
      if (isReached(one) && isDone) ended.add(one.name);
    }
  }
  return ended.size === all.length;
}

describe('random pipelines', () => {
  it('are in the manifest as they are written, and after JSON', () => {
    fc.assert(
      fc.property(tops, (drawnTops) => {
        const placed = place(drawnTops, [], { next: 0 });
        const all = everyOne(placed);
        const order = new Map(all.map(({ name }, at) => [name, at]));
        const isBefore = (owner: Placed, one: Placed): boolean =>
          (order.get(one.name) ?? 0) < (order.get(owner.name) ?? 0) && mayNeed(owner, one);
        const chosen = choose(all, (owner) => all.filter((one) => isBefore(owner, one)));
        const p = write(placed, chosen, new Map());
        if (all.every(({ kind }) => kind === 'group')) return;
        const { manifest, hash } = compile({ p });
        const spec = manifest.pipelines['p'] as PipelineSpec;
        const again: unknown = parseJson(canonicalJson(manifest));
        checkManifest(again);
        expect(again.pipelines['p']).toEqual(spec);
        expect(contentHash(again)).toBe(hash);

        const steps = all.filter(({ kind }) => kind === 'step');
        expect(spec.steps.map(({ name, in: group, needs }) => [name, group, Object.values(needs)])).toEqual(
          steps.map(({ name, around }) => [name, around.at(-1), chosen.get(name)]),
        );
        const groups = all.filter(({ kind }) => kind === 'group');
        expect((spec.groups ?? []).map(({ name, in: group, last }) => [name, group, last])).toEqual(
          groups.map(({ name, around, inside }) => [name, around.at(-1), inside.at(-1)?.name]),
        );
        for (const [at, options] of steps.map(({ drawn }) => drawn.options).entries())
          for (const flag of ['catch', 'cache', 'isolate', 'after', 'parallel', 'pool', 'executor'] as const)
            expect(spec.steps[at]?.[flag]).toEqual(options[flag] === false ? undefined : options[flag]);
      }),
      { numRuns: runs(300) },
    );
  });

  it('need whom they may, and go in a circle exactly where something never ends', () => {
    const circles: string[] = [];
    fc.assert(
      fc.property(tops, (drawnTops) => {
        const placed = place(drawnTops, [], { next: 0 });
        const all = everyOne(placed);
        const steps = new Set(all.filter(({ kind }) => kind === 'step').map(({ name }) => name));
        const reachable = choose(all, (owner) => all.filter((one) => one !== owner && mayNeed(owner, one)));
        // A group's items are no name: those that are not there yet can't be meant.
        const order = new Map(all.map(({ name }, at) => [name, at]));
        const chosen = new Map(
          [...reachable].map(([name, needs]) => {
            const isEarlier = (need: string): boolean => (order.get(need) ?? 0) < (order.get(name) ?? 0);
            return [name, steps.has(name) ? needs : needs.filter(isEarlier)];
          }),
        );
        if (steps.size === 0) return;
        const mistakes = mistakesOf({ p: write(placed, chosen, new Map()) });
        const ends = allEnd(all, chosen);
        circles.push(...mistakes);
        expect(mistakes.filter((text) => !/ circle: /.test(text))).toEqual([]);
        expect(mistakes.length === 0, mistakes.join('\n')).toBe(ends);
        for (const text of mistakes) expectCircle(text, all, chosen);
      }),
      { numRuns: runs(500) },
    );
    expect(circles.filter((text) => /group/.test(text)).length).toBeGreaterThan(runs(500) / 10);
  });

  it('are refused each need that is out of reach, and no other', () => {
    fc.assert(
      fc.property(tops, (drawnTops) => {
        const placed = place(drawnTops, [], { next: 0 });
        const all = everyOne(placed);
        const steps = all.filter(({ kind }) => kind === 'step');
        const chosen = choose(steps, (owner) => all.filter((one) => one !== owner));
        if (steps.length === 0) return;
        const mistakes = mistakesOf({ p: write(placed, chosen, new Map()) }).filter((text) => !/ circle: /.test(text));
        const needs = /(step\d+)" needs (?:step|group) "(\w+)", which/;
        const told = mistakes.map((text) => needs.exec(text)?.slice(1).join());
        const out = steps.flatMap((owner) =>
          (chosen.get(owner.name) ?? []).flatMap((need) =>
            all.some((one) => one.name === need && mayNeed(owner, one)) ? [] : [`${owner.name},${need}`],
          ),
        );
        expect(told.sort()).toEqual(out.sort());
      }),
      { numRuns: runs(300) },
    );
  });
});

/** Each on the way waits for the next: it needs it, is in it, or holds it. */
function expectCircle(text: string, all: readonly Placed[], chosen: Chosen): void {
  const way = / circle: (.*)\. Take/.exec(text)?.[1]?.split(' → ') ?? [];
  expect(way.length).toBeGreaterThan(1);
  expect(way.at(-1)).toBe(way[0]);
  const placedAs = new Map(all.map((one) => [one.name, one]));
  for (const [at, name] of way.slice(1).entries()) {
    const from = placedAs.get(way[at] ?? '');
    const isNeed = chosen.get(from?.name ?? '')?.includes(name) === true;
    const isAround = from?.around.includes(name) === true;
    const isIn = from?.inside.some((inner) => inner.name === name) === true;
    expect(isNeed || isAround || isIn, `${way[at]} → ${name} in ${text}`).toBe(true);
  }
}
