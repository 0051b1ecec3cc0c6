// Any order of events, any death of a driver between them: the same rows, those of a naive evaluation of the graph.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentHash } from '../../src/core/index.ts';
import type { GroupSpec, PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { type Graph, graphOf, neededBy, scopeAround, scopeInside } from '../../src/orchestrator/engine/graph.ts';
import { countTasks, type Fate, listOf, type Played, playRun, resumed, type Script } from '../support/engine-world.ts';
import { openPlaces } from '../../src/orchestrator/placement.ts';
import { createRandom } from '../support/chance.ts';
import { plainStep } from '../support/plain-step.ts';
import { runs } from '../support/tier.ts';

/** How one node of a random pipeline is; what it points at is taken modulo what there is. */
const drawn = fc.record({
  isGroup: fc.boolean(),
  within: fc.nat(7),
  needs: fc.array(fc.nat(9), { maxLength: 2 }),
  gate: fc.option(fc.nat(9), { freq: 3 }),
  isUnless: fc.boolean(),
  count: fc.option(fc.nat(4)),
  retry: fc.nat(2),
  isCaught: fc.boolean(),
  isAfterAll: fc.nat(5).map((n) => n === 0),
  parallel: fc.option(fc.integer({ min: 1, max: 2 }), { freq: 3 }),
  isCached: fc.boolean(),
  pool: fc.option(fc.nat(1), { freq: 2 }),
});
type Drawn = typeof drawn extends fc.Arbitrary<infer D> ? D : never;

/** Of those that the steps name. */
const poolSizes = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }));

const MOST_DEPTH = 2;

/** Nodes one after another: each needs earlier ones that lie around it, or beside it. */
function pipelineOf(nodes: readonly Drawn[]): PipelineSpec {
  const groups: GroupSpec[] = [];
  const steps: StepSpec[] = [];
  const made: { readonly name: string; readonly around: readonly string[] }[] = [];
  /** All that must have ended before it, itself too. */
  const reached = (name: string, so: Set<string> = new Set()): Set<string> => {
    if (so.has(name)) return so;
    so.add(name);
    const step = steps.find((one) => one.name === name);
    for (const need of step === undefined ? [] : neededBy(step)) reached(need, so);
    const group = groups.find((one) => one.name === name);
    if (group?.foreach.kind === 'result') reached(group.foreach.of, so);
    for (const { name: inner } of made.filter(({ around }) => around.at(-1) === name)) reached(inner, so);
    return so;
  };
  for (const [at, one] of nodes.entries()) {
    const parents = [undefined, ...groups];
    const parent = parents[one.within % parents.length];
    const around =
      parent === undefined ? [] : [...(made.find(({ name }) => name === parent.name)?.around ?? []), parent.name];
    const seen = made.filter(
      (other) =>
        other.around.every((name, depth) => around[depth] === name) &&
        // What waits for a group is nothing that it waits for.
        ![...reached(other.name)].some((name) => around.includes(name)),
    );
    const pick = (n: number): string | undefined => (seen.length === 0 ? undefined : seen[n % seen.length]?.name);
    const name = `n${at}`;
    if (one.isGroup && around.length < MOST_DEPTH) {
      const of = one.gate === null ? undefined : pick(one.gate);
      const foreach =
        of === undefined
          ? ({ kind: 'range', start: 0, end: one.count ?? 2 } as const)
          : ({ kind: 'result', of } as const);
      groups.push({ name, foreach, ...(parent && { in: parent.name }), last: '' });
      made.push({ name, around });
      continue;
    }
    const needs = [...new Set(one.needs.map(pick).filter((need) => need !== undefined))];
    const stepsSeen = seen.filter(({ name: of }) =>
      steps.some((step) => step.name === of && step.foreach === undefined),
    );
    const gate = one.gate === null || stepsSeen.length === 0 ? undefined : stepsSeen[one.gate % stepsSeen.length]?.name;
    const more: Partial<StepSpec> = {
      needs: Object.fromEntries(needs.map((need) => [need, need])),
      ...(one.count !== null && { foreach: { kind: 'range', start: 0, end: one.count } }),
      ...(parent && { in: parent.name }),
      ...(gate !== undefined && (one.isUnless ? { unless: gate } : { when: gate })),
      ...(one.isAfterAll && gate === undefined && { after: 'end' }),
      ...(one.isCaught && { catch: true }),
      ...(one.parallel !== null && { parallel: one.parallel }),
      ...(one.isCached && { cache: true }),
      ...(one.pool !== null && { pool: `pool${one.pool}` }),
      retry: one.retry,
    };
    steps.push(plainStep(name, more));
    made.push({ name, around });
  }
  // A group without anything inside has nothing to give.
  for (const group of groups) {
    if (made.some(({ around }) => around.at(-1) === group.name)) continue;
    const name = `${group.name}_in`;
    steps.push(plainStep(name, { in: group.name }));
  }
  return {
    name: 'p',
    params: [],
    steps,
    ...(groups.length === 0 ? {} : { groups }),
  };
}

/** 0 to n - 1, by what is hashed. */
const pick = (seed: number, of: readonly (string | number)[], n: number): number =>
  Number.parseInt(contentHash([seed, ...of]).slice(0, 8), 16) % n;

/** `harm`: of ten tasks, how many never succeed. Others fail once where they may, or are lost up to `mostLost` times. */
function scriptOf(graph: Graph, seed: number, harm: number, mostLost: number): Script {
  return {
    fate({ step, scope, index, attempt }): Fate {
      const of = [step, scope, index];
      if (attempt <= mostLost && pick(seed, ['l', ...of, attempt], 10) === 0) return { kind: 'lost' };
      if (isBad(seed, of, harm)) return { kind: 'fails', isFinal: pick(seed, ['n', ...of], 3) === 0 };
      const node = graph.nodes.get(step);
      const mayFail = node?.kind === 'step' && node.spec.retry > 0 && attempt === 1;
      return mayFail && pick(seed, ['m', ...of], 3) === 0 ? { kind: 'fails', isFinal: false } : gives(seed, of);
    },
    children: (name) => childrenOf(graph, name),
    // What fails for good was never kept.
    cached: (...of) => (isBad(seed, of, harm) || pick(seed, ['k', ...of], 2) === 0 ? null : gives(seed, of).json),
    gate: (step, scope) => {
      const depth = graph.nodes.get(step)?.around.length ?? 0;
      return gives(seed, [step, scopeAround(scope, depth), 0]).json === 'true';
    },
  };
}

const gives = (seed: number, of: readonly (string | number)[]): Extract<Fate, { kind: 'succeeds' }> => ({
  kind: 'succeeds',
  json: pick(seed, ['o', ...of], 2) === 0 ? 'true' : 'false',
});

const isBad = (seed: number, of: readonly (string | number)[], harm: number): boolean =>
  pick(seed, ['f', ...of], 10) < harm;

function childrenOf(graph: Graph, name: string): number {
  const foreach = graph.nodes.get(name)?.foreach;
  return foreach?.kind === 'range' ? foreach.end - foreach.start : foreach?.kind === 'result' ? 2 : 1;
}

/** States by node and scope, and of tasks, as a reader would work them out with a pencil. */
function evaluate(graph: Graph, script: Script, seed: number, harm: number) {
  const states = new Map<string, string>();
  const tasks = new Map<string, string>();
  /** Whether all that the steps in a group, and in groups inside it, need from around it is there. */
  const isReady = (group: string, scope: string, inner = group): boolean =>
    (graph.inside.get(inner) ?? []).every(
      (node) =>
        isReady(group, scope, node.name) &&
        node.needs.every((need) => {
          const around = graph.nodes.get(need)?.around ?? [];
          return around.includes(group) || states.has(`${need} ${scopeAround(scope, around.length)}`);
        }),
    );
  const inScope = (group: string, scope: string): string => {
    const nodes = graph.inside.get(group) ?? [];
    const left = new Set(nodes);
    while (left.size > 0) {
      for (const node of left) {
        const before = node.needs.map((need) =>
          states.get(`${need} ${scopeAround(scope, graph.nodes.get(need)?.around.length ?? 0)}`),
        );
        if (before.includes(undefined) || !isReady(node.name, scope)) continue;
        left.delete(node);
        const isAfterAll = node.kind === 'step' && node.spec.after === 'end';
        const state = (): string => {
          if (!isAfterAll && before.some((one) => one === 'failed' || one === 'cancelled')) return 'cancelled';
          if (!isAfterAll && before.includes('skipped')) return 'skipped';
          if (node.kind === 'group') {
            const items = Array.from({ length: childrenOf(graph, node.name) }, (_, item) =>
              inScope(node.name, scopeInside(scope, item)),
            );
            return items.includes('failed') ? 'failed' : items.includes('cancelled') ? 'cancelled' : 'succeeded';
          }
          const { when, unless } = node.spec;
          const gate = when ?? unless;
          if (gate !== undefined && script.gate(gate, scope) !== (when !== undefined)) return 'skipped';
          const ended = Array.from({ length: childrenOf(graph, node.name) }, (_, index) => {
            const of = [node.name, scope, index];
            const end = !isBad(seed, of, harm) ? 'succeeded' : node.spec.catch === true ? 'caught' : 'failed';
            tasks.set(of.join(' '), end === 'succeeded' ? gives(seed, of).json : end);
            return end;
          });
          return ended.includes('failed') ? 'failed' : 'succeeded';
        };
        states.set(`${node.name} ${scope}`, state());
      }
    }
    const ended = nodes.map(({ name }) => states.get(`${name} ${scope}`));
    return ended.includes('failed') ? 'failed' : ended.includes('cancelled') ? 'cancelled' : 'succeeded';
  };
  return { end: inScope('', ''), states, tasks };
}

const statesOf = ({ rows }: Played): Map<string, string> =>
  new Map([...rows.steps.values()].map(({ step, scope, state }) => [`${step} ${scope}`, state]));

const endsOf = ({ rows }: Played): Map<string, string> =>
  new Map(
    [...rows.tasks.values()].map(({ step, scope, index, state, output, error }) => [
      [step, scope, index].join(' '),
      state !== 'succeeded' ? state : error !== null ? 'caught' : output && 'json' in output ? output.json : '',
    ]),
  );

const sorted = (map: Map<string, string>): [string, string][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

function expectCounts(played: Played, graph: Graph): void {
  for (const { step, scope, counts, state } of played.rows.steps.values()) {
    expect(['waiting', 'open']).not.toContain(state);
    if (graph.nodes.get(step)?.kind === 'step') expect(counts).toEqual(countTasks(played.rows, step, scope));
    expect([counts.running, counts.retry]).toEqual([0, 0]);
  }
  for (const { state } of played.rows.tasks.values()) expect(['succeeded', 'failed', 'cancelled']).toContain(state);
}

/** By other code a `foreach` has other items, and gates are the other way round. */
function changed(
  graph: Graph,
  script: Script,
  { by, swapsGates }: { readonly by: readonly number[]; readonly swapsGates: boolean },
): Script {
  const places = [...graph.nodes.keys()];
  return {
    ...script,
    children(name, scope) {
      const count = script.children(name, scope);
      const more = by[places.indexOf(name) % by.length] ?? 0;
      return graph.nodes.get(name)?.foreach === undefined ? count : Math.max(0, count + more);
    },
    gate: (...of) => script.gate(...of) !== swapsGates,
  };
}

const histories = fc.record({
  nodes: fc.array(drawn, { minLength: 1, maxLength: 7 }),
  seed: fc.nat(),
  harm: fc.constantFrom(0, 0, 1, 3),
  dice: fc.nat(),
  sizes: poolSizes,
});

describe('a run', () => {
  type History = typeof histories extends fc.Arbitrary<infer H> ? H : never;
  const play = (
    { nodes, seed, harm, dice, sizes }: History,
    more: { readonly keepsGoing: boolean; readonly mayCancel?: boolean },
  ) => {
    const graph = graphOf(pipelineOf(nodes));
    const script = scriptOf(graph, seed, harm, 2);
    const chance = createRandom(dice).below;
    const pools = new Map(sizes.map((size, at) => [`pool${at}`, size]));
    const played = playRun(graph, script, { mostDeaths: 2, mayCancel: false, chance, pools, ...more });
    return { graph, script, played, seed, harm };
  };

  it('that keeps going ends in the rows of a naive evaluation, whatever the order and whoever dies', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { graph, script, played, seed, harm } = play(history, { keepsGoing: true });
        const expected = evaluate(graph, script, seed, harm);
        expect(sorted(statesOf(played))).toEqual(sorted(expected.states));
        expect(sorted(endsOf(played))).toEqual(sorted(expected.tasks));
        expect(played.rows.state.end).toBe([...expected.states.values()].includes('failed') ? 'failed' : 'succeeded');
        expectCounts(played, graph);
      }),
      { numRuns: runs(400) },
    );
  });

  it('that stops at a failure has done no other work than one that goes on, and what runs after all', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { graph, script, played, seed, harm } = play(history, { keepsGoing: false });
        const expected = evaluate(graph, script, seed, harm);
        const hasFailed = [...expected.states.values()].includes('failed');
        expect(played.rows.state.end).toBe(hasFailed ? 'failed' : 'succeeded');
        if (!hasFailed) expect(sorted(statesOf(played))).toEqual(sorted(expected.states));
        for (const [task, end] of endsOf(played))
          if (end !== 'cancelled') expect([task, end]).toEqual([task, expected.tasks.get(task)]);
        for (const node of graph.inside.get('') ?? []) {
          if (node.kind !== 'step' || node.spec.after !== 'end') continue;
          expect(['succeeded', 'failed']).toContain(played.rows.steps.get(`${node.name} `)?.state);
        }
        expectCounts(played, graph);
      }),
      { numRuns: runs(300) },
    );
  });

  it('that is cancelled at any moment ends, with nothing at work', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { graph, played } = play(history, { keepsGoing: true, mayCancel: true });
        if (played.isCancelled) expect(['cancelled', 'failed', 'succeeded']).toContain(played.rows.state.end);
        expectCounts(played, graph);
      }),
      { numRuns: runs(200) },
    );
  });

  it('that goes on by other code, from wherever it was left, ends with the tasks of the items that it has by then', () => {
    const change = fc.record({
      /** By node: as many items more, or fewer. */
      by: fc.array(fc.integer({ min: -3, max: 1 }), { minLength: 1, maxLength: 4 }),
      swapsGates: fc.boolean(),
      harm: fc.constantFrom(0, 1, 3),
      keepsGoing: fc.boolean(),
      mostTurns: fc.option(fc.nat(150)),
    });
    let dropped = 0;
    fc.assert(
      fc.property(
        histories,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        ({ nodes, seed, harm, dice }, changes) => {
          const graph = graphOf(pipelineOf(nodes.map((node) => ({ ...node, pool: null }))));
          const shared = { mostDeaths: 2, mayCancel: true, chance: createRandom(dice).below };
          const [{ keepsGoing, mostTurns } = { keepsGoing: false, mostTurns: null }] = changes;
          const most = mostTurns === null ? {} : { mostTurns };
          let { rows } = playRun(graph, scriptOf(graph, seed, harm, 2), { ...shared, ...most, keepsGoing });
          for (const [at, now] of changes.entries()) {
            if (rows.state.end === 'succeeded') return;
            const script = changed(graph, scriptOf(graph, seed, now.harm, 2), now);
            const isLast = at === changes.length - 1;
            const cut = isLast || now.mostTurns === null ? {} : { mostTurns: now.mostTurns };
            const before = resumed(graph, rows);
            const played = playRun(graph, script, { ...shared, ...cut, keepsGoing: now.keepsGoing, before });
            ({ rows } = played);
            if (rows.state.end === null) continue;
            expectCounts(played, graph);
            for (const { step, scope, state, children, end, counts, order } of rows.steps.values()) {
              if (state !== 'succeeded' || children === null) continue;
              expect([step, scope, counts.succeeded]).toEqual([step, scope, children]);
              if (end !== children) dropped += 1;
              if (graph.nodes.get(step)?.kind !== 'step') continue;
              const { numberAt } = openPlaces(listOf(order).placement);
              for (let place = 0; place < children; place++)
                expect(rows.tasks.get(`${step} ${scope} ${numberAt(place)}`)?.state).toBe('succeeded');
            }
          }
        },
      ),
      { numRuns: runs(400) },
    );
    // Whether any were, not how many: that is a matter of chance.
    expect(dropped).toBeGreaterThan(0);
  });

  it('never has more at work in a pool than its slots, which the pool has, and fills it', () => {
    let fullMoments = 0;
    fc.assert(
      fc.property(histories, (history) => {
        const nodes = history.nodes.map((node) => ({ ...node, pool: node.pool ?? 0 }));
        const { played } = play({ ...history, nodes }, { keepsGoing: true, mayCancel: true });
        fullMoments += played.fullMoments;
        expect([...played.rows.pools.values()].map(({ slots }) => slots)).toEqual([0, 0]);
      }),
      { numRuns: runs(300) },
    );
    expect(fullMoments).toBeGreaterThan(0);
  });
});
