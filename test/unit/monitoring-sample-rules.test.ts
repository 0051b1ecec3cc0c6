// Rules of a sample: which one a prediction fits, and mistakes that would sample something else than was meant.

import { describe, expect, it } from 'vitest';
import { parseSampling } from '../../src/monitoring/prediction-log/sample-rules.ts';
import { compileShare, isOfShare } from '../../src/monitoring/prediction-log/sampling.ts';
import type { RecordRoute } from '../../src/monitoring/index.ts';
import { experimentRoute, predictionRecord } from '../support/prediction-records.ts';

const base: RecordRoute = {
  ...experimentRoute,
  via: 'base',
  assigned: 'stable',
  experiment: null,
  keepsUnitsWhole: false,
};
const shareOf = (rules: string, endpoint: string, route = base, statuses: readonly string[] = ['PRESENT']): number =>
  compileShare(parseSampling(rules), { endpoint, variant: 'stable' }, route)(statuses);

describe('rules of a sample', () => {
  it('are decided by the first that fits; what none fits is logged', () => {
    const rules = 'delay.candidate=1, delay=0.1, via:forced=0, experiment:exp=.5';
    expect(shareOf(rules, 'delay')).toBe(0.1);
    expect(shareOf(rules, 'delay', { ...base, assigned: 'candidate' })).toBe(1);
    expect(shareOf(rules, 'other', { ...base, via: 'forced' })).toBe(0);
    expect(shareOf(rules, 'other', experimentRoute)).toBe(0.5);
    expect(shareOf(rules, 'other')).toBe(1);
    expect(compileShare(parseSampling(rules), { endpoint: 'delay', variant: 'candidate' }, null)([])).toBe(1);
  });

  it('may be one number for all', () => {
    expect(['0', '0.25', '1', ' .5 '].map((text) => shareOf(text, 'delay'))).toEqual([0, 0.25, 1, 0.5]);
  });

  it('may ask for what a row is like, which units that are kept whole are not asked', () => {
    const rules = 'delay status:missing=1, status:NULL_VALUE=0.5, *=0';
    expect(shareOf(rules, 'delay', base, ['PRESENT', 'NOT_FOUND'])).toBe(1);
    expect(shareOf(rules, 'delay', base, ['PRESENT', 'NULL_VALUE'])).toBe(0.5);
    expect(shareOf(rules, 'delay', base, ['PRESENT'])).toBe(0);
    expect(shareOf(rules, 'delay', experimentRoute, ['NOT_FOUND'])).toBe(0);
  });

  it('may be of what shadows make, each row with the lot of the one that was answered', () => {
    const shadow = { endpoint: 'delay', variant: 'shadow' };
    expect(compileShare(parseSampling('via:shadow=0, delay=0.5'), shadow, null)([])).toBe(0);
    expect(compileShare(parseSampling('delay.shadow=0, delay=0.5'), shadow, null)([])).toBe(0);
    for (let i = 0; i < 200; i++) {
      const [answered, shadowed] = [`p-${i}`, `p-${i}~4`].map((id) => isOfShare(predictionRecord(id), 0.5));
      expect(shadowed).toBe(answered);
    }
  });

  it.each([
    ['delay=0.1, delay.candidate=1', 'no prediction comes to "delay.candidate=1": "delay=0.1" stands before it'],
    ['*=1, via:base=0', 'no prediction comes to "via:base=0"'],
    ['delay', '"delay" is no rule'],
    ['delay=2', '"delay=2" is no rule'],
    ['delay=1=0', '"delay=1=0" is no rule'],
    ['1.5', '"1.5" is no rule'],
    ['via:other=0', '"other" in "via:other=0" is not known: expected one of forced,'],
    ['delay other=1', '"delay other=1" says twice of which endpoint it is'],
    ['status:missed=1', '"missed" in "status:missed=1" is not known'],
    ['delay.a.b=1', '"delay.a.b" in "delay.a.b=1" is no endpoint'],
    ['unit:x=1', '"unit:x" in "unit:x=1" is not known'],
  ])('%s are a mistake that is told', (rules, message) => {
    expect(() => parseSampling(rules)).toThrow(message);
  });
});
