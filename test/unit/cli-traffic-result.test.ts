// What `endpoints traffic` says of a change, by how far it is.

import { describe, expect, it } from 'vitest';
import { trafficResult } from '../../src/cli/traffic-result.ts';
import type { EndpointState, TrafficChange, Variant } from '../../src/registry/index.ts';

const stable: Variant = { name: 'stable', version: 1, weight: 90, ranges: [[0, 9000]] };
const candidate: Variant = { name: 'candidate', version: 2, weight: 10, ranges: [[9000, 10_000]] };
const change: TrafficChange = {
  revision: 4,
  variants: [stable, candidate],
  shadows: [],
  experiments: [],
  state: 'active',
  failures: [],
  askedMicros: 0,
  actor: 'ann',
  reason: null,
};
const active: EndpointState = {
  name: 'checkout',
  model: 'returns',
  unit: ['customer'],
  salt: 's',
  variants: [stable, candidate],
  shadows: [],
  experiments: [],
  rollout: null,
  candidate: null,
  revision: 4,
  etag: '"r4"',
  change,
};
const asked = [
  { ...stable, version: 'champion' },
  { ...candidate, version: '2' },
];

describe('a change of traffic', () => {
  it('that every server answers by is done', () => {
    const result = trafficResult(active, asked, { servers: 2, waitsFor: [] });
    expect(result).toMatchObject({
      text: 'checkout: stable=1:90 candidate=2:10\nchampion is version 1',
      json: { revision: 4, waitsFor: [], servers: 2, change: null },
    });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that left a variant nothing says what became of the rollout, and no version of what is not there', () => {
    const ended = { ...active, variants: [{ ...stable, weight: 100 }], change: { ...change, endsRollout: 'r-1' } };
    expect(trafficResult(ended, asked, { servers: 2, waitsFor: [] }).text).toBe(
      'checkout: stable=1:100\nchampion is version 1\nRollout r-1 has ended: the base now has what its candidate had, or was to get beside other versions.',
    );
  });

  it('that no server is there to load says so, and what checks it', () => {
    const result = trafficResult(active, asked, { servers: 0, waitsFor: [] });
    expect(result.text).toBe(
      'checkout: stable=1:90 candidate=2:10\nchampion is version 1\n' +
        'No server is live, so nothing has loaded it yet: the next one to start does. `headrace doctor` checks that its artifact is there.',
    );
    expect(result).toMatchObject({ json: { servers: 0, waitsFor: [] } });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that is active names the servers that have yet to answer by it', () => {
    const result = trafficResult(active, asked, { servers: 2, waitsFor: ['one 12', 'two 7'] });
    expect(result.text).toContain('\nIt is active. These have not told yet that they answer by it: one 12, two 7.');
    expect(result).toMatchObject({ json: { waitsFor: ['one 12', 'two 7'] } });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that is active stays so where nobody knows which servers answer by it, and says that', () => {
    const result = trafficResult(active, asked, undefined);
    expect(result.text).toContain('\nIt is active. Which servers answer by it already is not known');
    expect(result).toMatchObject({ json: { waitsFor: null, servers: null } });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that overrides a rollout says what became of it', () => {
    const servers = { servers: 2, waitsFor: [] };
    expect(trafficResult({ ...active, rollout: 'r-1' }, [], servers).text).toBe(
      'checkout: stable=1:90 candidate=2:10\nRollout r-1 is still under way, and guards its candidate.',
    );
    const ended = trafficResult({ ...active, change: { ...change, endsRollout: 'r-1' } }, [], servers);
    expect(ended.text).toContain('\nRollout r-1 has ended: the base now has what its candidate had');
    expect(ended.json).toMatchObject({ rollout: null, endedRollout: 'r-1' });
    const ending: TrafficChange = { ...change, state: 'preparing', endsRollout: 'r-1' };
    const waiting = trafficResult({ ...active, rollout: 'r-1', change: ending }, [], servers);
    expect(waiting.text).toContain('goes on. Rollout r-1 guards that, and ends then.');
  });

  it('that is still being loaded names the servers that it waits for, and is not done', () => {
    const before = { ...active, variants: [{ ...stable, weight: 100 }], revision: 3, etag: '"r3"' };
    const result = trafficResult({ ...before, change: { ...change, state: 'preparing' } }, asked, {
      servers: 1,
      waitsFor: ['one 12'],
    });
    expect(result.exitCode).toBe(3);
    expect(result.text).toBe(
      'checkout: revision 4 is being loaded by one 12, and is active once all have it; until then stable=1:100 goes on. ' +
        'See `headrace endpoints show checkout`.',
    );
    expect(result.json).toMatchObject({
      revision: 3,
      waitsFor: ['one 12'],
      change: { revision: 4, state: 'preparing' },
    });
  });
});
