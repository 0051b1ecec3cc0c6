// What a plan says of rules: those that set rows apart are meaning, and break what was trained on the rows before; others are
// about the data, and change nothing that is computed.

import { describe, expect, it } from 'vitest';
import type { Expectation, Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { modelInUse } from '../support/in-use.ts';
import { flightsManifest } from '../support/manifests.ts';
import { MODEL, plan } from '../support/plans.ts';

const between = (onFail: Expectation['onFail'], max = 9): Expectation => ({
  rule: 'between',
  column: 'delay',
  min: 0,
  max,
  onFail,
});
const expecting = (expect?: readonly Expectation[]): Manifest => {
  const [[name, source]] = Object.entries(flightsManifest.sources) as [[string, SourceSpec]];
  return { ...flightsManifest, sources: { [name]: { ...source, ...(expect && { expect }) } } };
};
const linesOf = (before: Manifest, after: Manifest) => {
  const { changes, breaking, views } = plan(before, after, modelInUse());
  return { lines: changes.flatMap(({ lines }) => lines.map(({ kind, text }) => `${kind}: ${text}`)), breaking, views };
};

describe('a plan of rules', () => {
  it('is about the data where they warn or fail', () => {
    const { lines, breaking, views } = linesOf(expecting(), expecting([between('warn')]));
    expect(lines).toEqual(['about: + expectation "between(delay, 0 … 9)": warn']);
    expect([breaking, views]).toEqual([[], []]);
    expect(linesOf(expecting([between('warn')]), expecting([between('fail')])).lines).toEqual([
      'about: expectation "between(delay, 0 … 9)": warn → fail',
    ]);
  });

  it('is of another meaning where they set rows apart, and breaks what is in use', () => {
    const { lines, breaking, views } = linesOf(expecting([between('warn')]), expecting([between('quarantine')]));
    expect(lines).toEqual(['meaning: expectation "between(delay, 0 … 9)": warn → quarantine']);
    const changed = 'origin__last_delay, origin__flights_1d, origin__mean_delay_7d change meaning';
    expect(breaking).toMatchObject([{ object: 'source', name: 'flights', breaking: `${changed}: ${MODEL}` }]);
    expect(views).toMatchObject([{ view: 'airport_delays', needsRun: true }]);
    expect(linesOf(expecting([between('quarantine')]), expecting([between('quarantine', 8)])).lines).toEqual([
      'meaning: - expectation "between(delay, 0 … 9)": quarantine',
      'meaning: + expectation "between(delay, 0 … 8)": quarantine',
    ]);
  });
});
