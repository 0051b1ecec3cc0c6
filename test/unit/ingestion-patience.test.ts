import { describe, expect, it, vi } from 'vitest';
import { createPatience } from '../../src/ingestion/patience.ts';

describe('the patience of pushes', () => {
  it('gives what comes in time, and each its own', async () => {
    const patience = createPatience(1000, () => undefined);
    const failed = patience.within(Promise.reject(new Error('no')));
    await expect(patience.within(Promise.resolve(1))).resolves.toBe(1);
    await expect(failed).rejects.toThrow('no');
  });

  it('ends after the limit, for each from when it came, and says why the store lets wait', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      let reason: string | undefined;
      const patience = createPatience(1000, () => reason);
      const ends: string[] = [];
      const never = (name: string): void => {
        patience.within(new Promise(() => {})).catch((error: Error) => ends.push(`${name}: ${error.message}`));
      };
      never('first');
      await vi.advanceTimersByTimeAsync(600);
      never('second');
      await vi.advanceTimersByTimeAsync(399);
      expect(ends).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(ends).toEqual([expect.stringMatching(/^first: .*it takes too long.*count once/)]);
      reason = 'the store is away';
      await vi.advanceTimersByTimeAsync(600);
      expect(ends[1]).toMatch(/^second: .*the store is away/);
      // After a while without any, it watches again.
      await vi.advanceTimersByTimeAsync(10_000);
      never('third');
      await vi.advanceTimersByTimeAsync(1000);
      expect(ends).toHaveLength(3);
    } finally {
      vi.useRealTimers();
    }
  });
});
