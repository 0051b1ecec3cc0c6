// A run is held by its driver while that waits for an executor.

import { describe, expect, it } from 'vitest';
import { holdMeanwhile } from '../../src/orchestrator/driver/hold-meanwhile.ts';

describe('a driver that waits for an executor', () => {
  it('renews its lease until the executor answers', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let renewed = 0;
    const held = holdMeanwhile(
      promise,
      async () => {
        renewed += 1;
        if (renewed === 3) resolve('answer');
      },
      5,
    );
    expect(await held).toBe('answer');
    expect(renewed).toBe(3);
  });

  it('tells what the executor throws, or that the run is another’s', async () => {
    const fails = Promise.reject(new Error('no such cluster'));
    await expect(holdMeanwhile(fails, async () => {}, 1000)).rejects.toThrow('no such cluster');
    const lost = holdMeanwhile(new Promise(() => {}), () => Promise.reject(new Error('another has it')), 5);
    await expect(lost).rejects.toThrow('another has it');
  });
});
