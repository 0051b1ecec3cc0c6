import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from '../../src/core/index.ts';

describe('work within a time', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('gives what the work gives, or its failure, and leaves no timer', async () => {
    await expect(within(Promise.resolve(1), 1000)).resolves.toBe(1);
    await expect(within(Promise.reject(new Error('no')), 1000)).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives undefined when the time is up, and drops a later failure', async () => {
    let fail!: (why: Error) => void;
    const answer = within(new Promise<number>((_, reject) => (fail = reject)), 1000);
    vi.advanceTimersByTime(1000);
    await expect(answer).resolves.toBeUndefined();
    fail(new Error('too late'));
  });

  it('calls `late` when the time is up, and not before', async () => {
    const late = vi.fn(() => 'late');
    await within(Promise.resolve(1), 1000, late);
    expect(late).not.toHaveBeenCalled();
    const answer = within(new Promise(() => {}), 1000, late);
    vi.advanceTimersByTime(1000);
    await expect(answer).resolves.toBe('late');
    const refused = within(new Promise(() => {}), 1000, () => {
      throw new Error('it takes too long');
    });
    vi.advanceTimersByTime(1000);
    await expect(refused).rejects.toThrow('it takes too long');
  });
});
