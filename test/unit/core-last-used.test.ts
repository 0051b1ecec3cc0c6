import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLastUsed, fewAtOnce } from '../../src/core/index.ts';
import { runs } from '../support/tier.ts';

describe('what was used last', () => {
  it('stays, however early it came', () => {
    const held = createLastUsed<string, number>(2);
    held.set('a', 1);
    held.set('b', 2);
    expect(held.get('a')).toBe(1);
    held.set('c', 3);
    expect([held.get('a'), held.get('b'), held.get('c')]).toEqual([1, undefined, 3]);
  });

  it('is used by being set again, and gone when deleted', () => {
    const held = createLastUsed<string, number>(2);
    held.set('a', 1);
    held.set('b', 2);
    held.set('a', 3);
    held.set('c', 4);
    expect([held.get('a'), held.get('b')]).toEqual([3, undefined]);
    held.delete('a');
    expect(held.get('a')).toBeUndefined();
  });

  it('is half of what may be held at least, and what is deleted stays gone', () => {
    const key = fc.constantFrom(...'abcdefghi');
    const step = fc.record({ does: fc.constantFrom('set', 'set', 'get', 'delete'), key });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 2, max: 8 }), (steps, most) => {
        const held = createLastUsed<string, number>(most);
        // An oracle that forgets nothing, the one used last at its end.
        const all = new Map<string, number>();
        steps.forEach(({ does, key }, at) => {
          const lately = [...all.keys()].slice(-Math.floor(most / 2));
          const value = does === 'set' ? at : all.get(key);
          if (does === 'set') held.set(key, at);
          else if (does === 'delete') held.delete(key);
          else {
            const got = held.get(key);
            if (got !== undefined || lately.includes(key)) expect(got).toBe(value);
            // Forgotten: then it is no use.
            if (got === undefined) return;
          }
          all.delete(key);
          if (does !== 'delete' && value !== undefined) all.set(key, value);
        });
        const left = [...'abcdefghi'].filter((one) => held.get(one) !== undefined);
        expect(left.length).toBeLessThanOrEqual(most);
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('few at once', () => {
  it('does all that it is given, so many at a time, and goes on after one that fails', async () => {
    const atOnce = fewAtOnce(3);
    let [running, most] = [0, 0];
    const work = async (n: number): Promise<number> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      if (n === 4) throw new Error('four');
      return n;
    };
    const all = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => atOnce(() => work(n))));
    expect(most).toBe(3);
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9]);
  });
});
