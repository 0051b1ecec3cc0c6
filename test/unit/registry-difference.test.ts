import { describe, expect, it } from 'vitest';
import { describeDifference } from '../../src/registry/definitions/difference.ts';
import { airportDelays, flights1d, flightsManifest, lastDelay, meanDelay7d } from '../support/manifests.ts';

describe('the lines that tell two specs apart', () => {
  it('are none for equal ones', () => {
    expect(describeDifference(airportDelays, structuredClone(airportDelays))).toEqual([]);
  });

  it('name what came, went and changed, with durations, types and aggregations as users write them', () => {
    const after = {
      ...airportDelays,
      ttlMicros: null,
      description: 'Delays',
      features: [lastDelay, { ...flights1d, type: { kind: 'int32' } }],
      freshness: { kind: 'scheduled', everyMicros: 3_600_000_000, lagMicros: 0 },
    };
    expect(describeDifference(airportDelays, after)).toEqual([
      'ttlMicros: - 30d',
      'features.flights_1d.type: int64 → int32',
      'features.mean_delay_7d: - mean(delay) over 7d, hop 1h',
      'freshness.kind: "live" → "scheduled"',
      'freshness.everyMicros: + 1h',
      'freshness.lagMicros: + 0s',
      'description: + "Delays"',
    ]);
  });

  it('tell a new order from new items', () => {
    const after = { ...airportDelays, features: [meanDelay7d, lastDelay, flights1d] };
    expect(describeDifference(airportDelays, after)).toEqual([
      'features: order last_delay, flights_1d, mean_delay_7d → mean_delay_7d, last_delay, flights_1d',
    ]);
  });

  it('say that code changed, not how', () => {
    const before = flightsManifest.onDemandViews['departure'];
    const after = { ...before, transform: { id: 'onDemand/departure', hash: 'b'.repeat(64) } };
    expect(describeDifference(before, after)).toEqual(['transform: code aaaaaaaa → code bbbbbbbb']);
  });
});
