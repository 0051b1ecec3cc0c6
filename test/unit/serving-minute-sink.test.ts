// Which rows of a batch are counted by the minute, and whose units.

import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { fromColumns } from '../../src/monitoring/minutes/row-columns.ts';
import type { Via } from '../../src/rollouts/index.ts';
import type { ArmBatch, ArmRow } from '../../src/serving/arm.ts';
import { minuteSink } from '../../src/serving/arm-sinks.ts';
import { unpackHashes } from '../../src/statistics/index.ts';
import { armOf, createMinuteServer } from '../support/minute-servers.ts';

// What else an answered row has is nothing to this sink.
const answered = (...statuses: string[]) => ({ outputs: [] as unknown[], features: [], statuses }) as ArmRow;
const failed: ArmRow = { error: new HeadraceError('HR_ONLINE_UNAVAILABLE', 'away') };
const refused: ArmRow = { error: new HeadraceError('HR_UNKNOWN_ENTITY', 'unknown') };

function counted(rows: readonly ArmRow[], { via = 'rollout' as Via, ...more }: Partial<ArmBatch> & { via?: Via } = {}) {
  const server = createMinuteServer('s1');
  const [stable, candidate] = [armOf(server), armOf(server, { variant: 'candidate', version: 2 })];
  const sink = minuteSink(server.collector, [stable, candidate]);
  sink({
    rows,
    routes: rows.map(() => ({ place: 1, variant: 'candidate', version: 2, via, experiment: null, phase: 0 })),
    unitHashes: rows.map((_, at) => at + 1),
    latencyMicros: 700,
    isAnswered: true,
    isBroken: false,
    ...more,
    // What else a batch has is nothing to this sink.
  } as unknown as ArmBatch);
  const [row, ...others] = server.take().map(fromColumns);
  expect(others).toEqual([]);
  if (row === undefined) return undefined;
  const units = (kind: 'units' | 'errorUnits' | 'nullUnits') => unpackHashes(row[kind]).hashes().length;
  const { variant, requests, rows: count, errors, refused, nulls } = row;
  return [variant, requests, count, errors, refused, nulls, units('units'), units('errorUnits'), units('nullUnits')];
}

it('counts rows at what they were assigned, and the units of each', () => {
  const rows = [answered('PRESENT'), answered('PRESENT', 'NULL_VALUE'), answered('NOT_FOUND'), failed, refused];
  expect(counted(rows)).toEqual(['candidate', 1, 3, 1, 1, 2, 5, 1, 2]);
});

it.each([NaN, -Infinity, null])('counts a row whose output is %s as one with a null', (output) => {
  const row = { ...answered('PRESENT'), outputs: [0.5, output] } as ArmRow;
  expect(counted([row, answered('PRESENT')])).toEqual(['candidate', 1, 2, 0, 0, 1, 2, 0, 1]);
});

it('counts failures alone where the request failed as a whole', () => {
  expect(counted([answered('PRESENT'), failed], { isAnswered: false })).toEqual(['candidate', 0, 0, 1, 0, 0, 1, 1, 0]);
});

it.each<Via>(['rule', 'holdout', 'no_unit'])('leaves out units that %s decided on', (via) => {
  expect(counted([answered('NOT_FOUND'), failed], { via })).toEqual(['candidate', 1, 1, 1, 0, 1, 0, 0, 0]);
});

it('leaves forced rows out; counts units alone of what the base answered for an arm whose breaker is open', () => {
  expect(counted([answered('NOT_FOUND'), failed], { via: 'forced' })).toBeUndefined();
  expect(counted([answered('NOT_FOUND'), failed], { isBroken: true })).toEqual(['candidate', 0, 0, 0, 0, 0, 2, 0, 0]);
});

it('gives the series of endpoints with a rollout alone, and keeps the others for when all are asked for', () => {
  const { collector } = createMinuteServer('s1');
  const count = () => {
    for (const endpoint of ['eta', 'fare']) collector.outcomeOfUnit(endpoint);
  };
  const taken = (which: 'all' | 'rollouts') => collector.take(which).map(({ endpoint }) => endpoint);
  count();
  expect([collector.hasRollout(), taken('rollouts')]).toEqual([false, []]);
  collector.setRollouts(['fare']);
  expect([collector.hasRollout(), taken('rollouts'), taken('rollouts'), taken('all')]).toEqual([
    true,
    ['fare'],
    [],
    ['eta'],
  ]);
  count();
  expect([taken('all'), taken('all')]).toEqual([['eta', 'fare'], []]);
});
