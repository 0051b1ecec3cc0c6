// What is asked of others, and told within its time or not at all.

import { describe, expect, it } from 'vitest';
import { HeadraceError, type Logger, silentLogger } from '../../src/core/index.ts';
import { createBoundedRead } from '../../src/serving/http/bounded-read.ts';

function open<T>(read: () => Promise<T>) {
  const warnings: object[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  return { ask: createBoundedRead({ what: 'the views', read, limitMs: 50, logger }), warnings };
}

describe('a bounded read', () => {
  it('gives what it reads, anew each time', async () => {
    let times = 0;
    const { ask } = open(() => Promise.resolve(++times));
    expect([await ask(), await ask()]).toEqual([{ value: 1 }, { value: 2 }]);
  });

  it('says why there is nothing, without what is inside', async () => {
    const { ask, warnings } = open(() => Promise.reject(new Error('password of 10.0.0.1')));
    expect(await ask()).toEqual({ reason: 'the views could not be read: the server’s log has why' });
    expect(warnings).toEqual([{ reason: 'password of 10.0.0.1' }]);
    const known = open(() => Promise.reject(new HeadraceError('HR_ONLINE_UNAVAILABLE', 'the store is away')));
    expect(await known.ask()).toEqual({ reason: 'the views could not be read: the store is away' });
  });

  it('waits no longer than its limit, and asks no more while nothing is said', async () => {
    const asked: ((text: string) => void)[] = [];
    const { ask } = open(() => new Promise<string>((resolve) => asked.push(resolve)));
    for (let at = 0; at < 3; at++) expect(await ask()).toEqual({ reason: 'the views did not come within 50 ms' });
    expect(asked).toHaveLength(1);
    for (const value of ['here', 'again']) {
      const answer = ask();
      asked.at(-1)?.(value);
      expect(await answer).toEqual({ value });
    }
    expect(asked).toHaveLength(2);
  });
});
