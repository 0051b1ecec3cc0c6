// What traffic an endpoint may be given, and what of it the live servers have loaded.

import { describe, expect, it } from 'vitest';
import type { HeadraceError } from '../../src/core/index.ts';
import type { LiveExperiment } from '../../src/registry/live-experiment.ts';
import { resolveTraffic, type Traffic } from '../../src/registry/traffic.ts';
import { judgeChange, type TrafficChange, trafficWaitsFor } from '../../src/registry/traffic-change.ts';
import type { ServerRow } from '../../src/registry/versions/servers.ts';

const VERSIONS = [1, 2, 3].map((version) => ({
  version,
  aliases: version === 2 ? ['champion'] : [],
  isRetired: false,
}));
const BEFORE = { model: 'm', variants: [], shadows: [{ version: 3, percent: 10 }], experiments: [] };
const resolve = (traffic: Traffic) => resolveTraffic(traffic, BEFORE, VERSIONS);
const mistakesOf = (traffic: Traffic): HeadraceError['details'] => {
  try {
    resolve(traffic);
    return [];
  } catch (thrown) {
    return (thrown as HeadraceError).details;
  }
};
const pathsOf = (traffic: Traffic): string[] => mistakesOf(traffic).map(({ path }) => path);
type Range = readonly [number, number];
const NO_RANGES = [5, 6, -1, 0, 0.5].map((from, at): Range => [from, at === 3 ? 10_001 : 5]);
const split = (...weights: readonly number[]): Traffic => ({
  variants: weights.map((weight, at) => ({ name: `v${at}`, version: 1, weight })),
});
const only = { name: 'stable', version: 1, weight: 100 };

describe('traffic', () => {
  it('names versions by number, alias or as the latest, and keeps shadows that it says nothing of', () => {
    const variants = [1, '2', 'champion', 'latest'].map((version, at) => ({ name: `v${at}`, version, weight: 25 }));
    expect(resolve({ variants }).variants.map(({ version }) => version)).toEqual([1, 2, 2, 3]);
    expect(resolve({ variants }).shadows).toEqual(BEFORE.shadows);
    expect(resolve({ variants, shadows: [] }).shadows).toEqual([]);
  });

  it('has weights of two decimals from 0 to 100, which sum to 100', () => {
    for (const good of [split(100), split(0, 100), split(99.99, 0.01), split(33.33, 33.33, 33.34)])
      expect(pathsOf(good)).toEqual([]);
    for (const bad of [split(99.99), split(100, 0.01), split()]) expect(pathsOf(bad)).toEqual(['variants']);
    expect(pathsOf(split(-1, 101, 33.333, NaN))).toEqual([0, 1, 2, 3].map((at) => `variants[${at}].weight`));
  });

  it('has names of their own, of at most 63 characters', () => {
    const named = (...names: readonly string[]): Traffic => ({
      variants: names.map((name, at) => ({ name, version: 1, weight: at === 0 ? 100 : 0 })),
    });
    expect(pathsOf(named('a', `a${'b'.repeat(62)}`, 'A.b-c_1'))).toEqual([]);
    expect(pathsOf(named('a', 'a', '', '1a', 'a b', `a${'b'.repeat(63)}`))).toEqual(
      [1, 2, 3, 4, 5].map((at) => `variants[${at}].name`),
    );
  });

  it('has at most a hundred variants and ten shadows, each shadow another version', () => {
    expect(pathsOf(split(...Array<number>(100).fill(1)))).toEqual([]);
    expect(pathsOf(split(...Array<number>(101).fill(1)))).toEqual(['variants']);
    const shadows = (...versions: readonly number[]) => versions.map((version) => ({ version, percent: 1 }));
    expect(pathsOf({ variants: [only], shadows: shadows(2, 3) })).toEqual([]);
    expect(pathsOf({ variants: [only], shadows: shadows(2, 3, 2) })).toEqual(['shadows[2].version']);
    expect(pathsOf({ variants: [only], shadows: shadows(...Array<number>(11).fill(2)) })).toContain('shadows');
    const percents = (...all: readonly number[]) =>
      all.map((percent) => pathsOf({ variants: [only], shadows: [{ version: 2, percent }] }).join());
    expect(percents(99.5, 100, 50.005, 101, 0.001)).toEqual(['', '', ...Array(3).fill('shadows[0].percent')]);
  });

  it('has ranges of all variants or of none, whole buckets that are as wide as the weights and do not overlap', () => {
    const ranged = (...all: readonly (Range | undefined)[]): Traffic => ({
      variants: all.map((range, at) => ({ name: `v${at}`, version: 1, weight: 50, ...(range && { ranges: [range] }) })),
    });
    expect(pathsOf(ranged([0, 5000], [5000, 10_000]))).toEqual([]);
    const told = (...all: readonly (Range | undefined)[]) =>
      mistakesOf(ranged(...all)).map((one) => [one.path, one.message]);
    const says = (text: string) => expect.stringContaining(text);
    expect(told([0, 5000], undefined)).toEqual([['variants[1].ranges', says('of all variants, or of none')]]);
    expect(told([0, 5001], [5000, 9999])).toEqual([['variants[1].ranges[0]', says('overlaps [0, 5001)')]]);
    expect(told([0, 4999], [5000, 10_000])).toEqual([['variants[0].ranges', says('expected 50 % of 10000 buckets')]]);
    for (const bad of NO_RANGES)
      expect(told(bad, [5000, 10_000]), String(bad)).toEqual([
        ['variants[0].ranges[0]', says('0 ≤ from < to ≤ 10000')],
      ]);
  });

  it('has experiments with a seed, a unit, named arms, and fractions of a namespace', () => {
    const room = (...ranges: readonly Range[]) => ({ seed: 'n', ranges });
    const experiment: LiveExperiment = {
      name: 'trial',
      phase: 1,
      seed: 's',
      unit: ['user'],
      namespace: room([0, 0.5], [0.5, 1]),
      when: null,
      arms: [{ name: 'a', version: 1, ranges: [[0, 10_000]] }],
    };
    const running = (more: object, count = 1): string[] =>
      pathsOf({
        variants: [only],
        experiments: Array.from({ length: count }, (_, at) => ({ ...experiment, name: `trial${at}`, ...more })),
      });
    expect(running({})).toEqual([]);
    expect(running({ seed: '', unit: [], arms: [] })).toEqual(
      ['seed', 'unit', 'arms'].map((name) => `experiments[0].${name}`),
    );
    expect(running({ name: 'same' }, 2)).toEqual(['experiments[1].name']);
    expect(running({ namespace: room([0, 0.5], [0.4, 1]) })).toEqual(['experiments[0].namespace.ranges[1]']);
    expect(running({ namespace: room([0, 1.1]) })).toEqual(['experiments[0].namespace.ranges[0]']);
    const arm = (name: string, ...ranges: readonly Range[]) => ({ name, version: 1, ranges });
    expect(running({ arms: [arm('a', [0, 5]), arm('a')] })).toEqual(['experiments[0].arms[1].name']);
    for (const bad of NO_RANGES)
      expect(running({ arms: [arm('a', bad)] })).toEqual(['experiments[0].arms[0].ranges[0]']);
    for (const arms of [[arm('a', [0, 2500], [2400, 2600])], [arm('a', [0, 2500]), arm('b', [2400, 2600])]])
      expect(mistakesOf({ variants: [only], experiments: [{ ...experiment, arms }] })).toMatchObject([
        { message: '[2400, 2600) overlaps [0, 2500), which experiments[0].arms[0].ranges[0] has' },
      ]);
    expect(running({ when: { user: { $no: 1 } } })).toEqual(['experiments[0].when']);
    expect(running({}, 100)).toEqual([]);
    expect(running({}, 101)).toEqual(['experiments']);
    expect(() =>
      resolve({ variants: [only], experiments: [{ ...experiment, arms: [{ name: 'a', version: 9, ranges: [] }] }] }),
    ).toThrow(/9/);
  });
});

describe('a change of traffic', () => {
  // As much of a server as is looked at.
  const server = (more: object): ServerRow =>
    ({ machine: 'a', pid: 1, revision: 1, prepared: {}, endpoints: {}, ...more }) as unknown as ServerRow;
  const loaded = (revision: number, failure: string | null = null) =>
    server({ prepared: { e: { revision, failure } } });
  const judge = (...servers: readonly ServerRow[]) => judgeChange('e', { revision: 7 }, servers);

  it('is prepared once every server has loaded it, and waits for those that have another', () => {
    expect(judge()).toEqual({ kind: 'prepared' });
    expect(judge(loaded(7))).toEqual({ kind: 'prepared' });
    for (const other of [loaded(6), loaded(8), server({})])
      expect(judge(loaded(7), other)).toEqual({ kind: 'waiting', waitsFor: ['a 1'] });
  });

  it('fails where one could not load it, whatever the others still do', () => {
    expect(judge(loaded(6), loaded(7, 'no memory'))).toEqual({
      kind: 'failed',
      failures: [{ server: 'a 1', reason: 'no memory' }],
    });
    expect(judge(loaded(6, 'another change'))).toMatchObject({ kind: 'waiting' });
  });

  it('waits for no server of an earlier build, nor for one that answers nobody', () => {
    expect(judge(server({ prepared: undefined }), server({ revision: null }))).toEqual({ kind: 'prepared' });
  });

  it('that is active waits for those that answer by an earlier revision', () => {
    const answers = (revision: number) => server({ endpoints: { e: { revision } } });
    const waits = (...servers: readonly ServerRow[]) =>
      trafficWaitsFor({ name: 'e', revision: 7, change: null }, servers);
    expect(waits(answers(7), answers(8), server({ endpoints: undefined }), server({ revision: null }))).toEqual([]);
    expect(waits(answers(6))).toEqual(['a 1']);
    expect(waits(server({}))).toEqual(['a 1']);
    const change = { state: 'preparing', revision: 8 } as TrafficChange;
    expect(trafficWaitsFor({ name: 'e', revision: 7, change }, [loaded(7), loaded(8)])).toEqual(['a 1']);
    expect(trafficWaitsFor({ name: 'e', revision: 7, change }, [loaded(8, 'no memory')])).toEqual([]);
  });
});
