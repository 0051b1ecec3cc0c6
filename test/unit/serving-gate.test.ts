// The gate's parts by themselves: key texts, origins, hosts, rates, and checks that are remembered.

import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Clock, createRateLimit, silentLogger } from '../../src/core/index.ts';
import { fitsSecret, readKeyToken } from '../../src/registry/index.ts';
import { hashSecret, newKeyToken, writeKeyToken } from '../../src/registry/key-token.ts';
import { createGate, type GateOptions } from '../../src/serving/http/security/gate.ts';
import { type KeySource, type Known, openKeyRing } from '../../src/serving/http/security/key-ring.ts';
import { createHostCheck, refuseForeignPage } from '../../src/serving/http/security/request-origin.ts';
import { runs } from '../support/tier.ts';

describe('a key', () => {
  it('is read as it was written, and no other text is', () => {
    for (let at = 0; at < 100; at++) {
      const token = newKeyToken();
      expect(readKeyToken(writeKeyToken(token))).toEqual(token);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = readKeyToken(text);
        expect(read === undefined || writeKeyToken(read) === text).toBe(true);
      }),
    );
  });

  it('fits by its whole secret alone', () => {
    const letters = fc.stringMatching(/^[0-9A-Za-z]{32}$/);
    fc.assert(
      fc.property(letters, letters, (secret, other) => {
        const hash = hashSecret(secret).toString('hex');
        expect(fitsSecret(hash, secret)).toBe(true);
        expect(fitsSecret(hash, other)).toBe(secret === other);
        expect(fitsSecret('', secret)).toBe(false);
      }),
      { numRuns: runs(50) },
    );
  });

  it('differs from every other', () => {
    expect(new Set(Array.from({ length: 1000 }, () => writeKeyToken(newKeyToken()))).size).toBe(1000);
  });
});

describe('the origin of a request', () => {
  const isForeign = (headers: Record<string, string>): boolean => {
    try {
      refuseForeignPage(headers);
      return false;
    } catch {
      return true;
    }
  };

  it('is the server’s own only where host and port are', () => {
    const host = fc.constantFrom('localhost', 'localhost:8080', '127.0.0.1', '[::1]:80', 'a.example', 'a.example:443');
    fc.assert(
      fc.property(host, host, fc.constantFrom('http', 'https'), (page, server, scheme) => {
        const port = scheme === 'https' ? ':443' : ':80';
        const bare = (text: string): string => (text.endsWith(port) ? text.slice(0, -port.length) : text);
        expect(isForeign({ origin: `${scheme}://${page}`, host: server })).toBe(bare(page) !== bare(server));
      }),
    );
  });

  it('of any text other than its own is foreign', () => {
    fc.assert(
      fc.property(fc.string(), (origin) => {
        fc.pre(!/^https?:\/\/localhost(:\d+)?$/i.test(origin));
        expect(isForeign({ origin, host: 'localhost' })).toBe(true);
      }),
    );
    expect(isForeign({ origin: 'http://localhost' })).toBe(true);
    expect(isForeign({ host: 'localhost' })).toBe(false);
  });
});

describe('the host of a request', () => {
  it('of any text other than a loopback name is refused', () => {
    const check = createHostCheck('127.0.0.1');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.webAuthority()), (host) => {
        fc.pre(!/^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host));
        expect(() => check(host)).toThrow('answers only to');
      }),
    );
  });

  it('may be the address that the server is bound to', () => {
    expect(() => createHostCheck('127.0.0.2')('127.0.0.2:80')).not.toThrow();
    expect(() => createHostCheck('127.0.0.1')('127.0.0.2:80')).toThrow();
  });
});

describe('a rate', () => {
  it('lets through what fits, and never more than a second’s in a burst', () => {
    let nowMs = 0;
    const limit = createRateLimit(10, () => nowMs);
    const taken = (count: number): number =>
      Array.from({ length: count }, () => limit.take('a')).filter(Boolean).length;
    expect(taken(30)).toBe(10);
    expect(limit.take('b')).toBe(true);
    nowMs += 500;
    expect(taken(30)).toBe(5);
    nowMs += 3_600_000;
    expect(taken(30)).toBe(10);
  });

  it('holds over any time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 300 }), { maxLength: 200 }), (waits) => {
        let nowMs = 0;
        const limit = createRateLimit(10, () => nowMs);
        let passed = 0;
        for (const wait of waits) {
          nowMs += wait;
          if (limit.take('a')) passed++;
        }
        expect(passed).toBeLessThanOrEqual(10 + nowMs / 100);
      }),
    );
  });
});

describe('what was checked once', () => {
  const SECOND = 1_000_000;
  const setUp = async (over: Partial<GateOptions> = {}) => {
    let nowMicros = 1_795_000_000 * SECOND;
    const clock: Clock = { nowMicros: () => nowMicros };
    const { id, secret } = newKeyToken();
    const base = {
      name: 'k',
      roles: ['read'],
      endpoints: null,
      createdMicros: 0,
      createdBy: 'ann',
      usedMicros: null,
    } as const;
    let key = { ...base, id, secretHash: hashSecret(secret).toString('hex'), revokedMicros: null as number | null };
    let expiresMicros = nowMicros + 60 * SECOND;
    let [token, isAway] = [1, false];
    const used: ReadonlyMap<string, number>[] = [];
    const source: KeySource = {
      changeToken: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(token)),
      keys: {
        list: () => Promise.resolve([{ ...key, expiresMicros }]),
        markUsed: (times) => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(void used.push(times))),
      },
    };
    const gates: { forget(): void }[] = [];
    const onChange = (): void => gates.forEach((gate) => gate.forget());
    const keys = await openKeyRing({ source, clock, logger: silentLogger, onChange });
    const gate = createGate({
      keys,
      tokens: undefined,
      opensTo: 'loopback',
      host: '127.0.0.1',
      rateLimit: undefined,
      clock,
      ...over,
    });
    gates.push(gate);
    const headers = { host: 'localhost', authorization: `Bearer ${writeKeyToken({ id, secret })}` };
    return {
      keys,
      used,
      enter: () => gate.identify(headers, '127.0.0.1', 'read'),
      pass: (seconds: number) => (nowMicros += seconds * SECOND),
      revoke() {
        key = { ...key, revokedMicros: nowMicros };
        token++;
      },
      shorten(seconds: number) {
        expiresMicros = nowMicros + seconds * SECOND;
        token++;
      },
      goAway: (away: boolean) => (isAway = away),
      id,
      key: writeKeyToken({ id, secret }),
      gate,
    };
  };

  it('is not checked again, and ends with its key’s time', async () => {
    const { enter, pass, keys } = await setUp();
    expect(enter()).toBe(enter());
    pass(59);
    expect(enter()).toMatchObject({ actor: { roles: new Set(['read']) } });
    pass(1);
    expect(enter).toThrow('has expired');
    await keys.close();
  });

  it('came in one header, and lets nobody in by the other', async () => {
    const { gate, keys, key } = await setUp();
    const by = (headers: { authorization?: string; 'x-api-key'?: string }) => () =>
      gate.identify({ host: 'localhost', ...headers }, '127.0.0.1', 'read');
    const [bare, schemed] = [key, `Bearer ${key}`];
    for (let time = 0; time < 2; time++) {
      for (const authorization of [bare, `Basic ${key}`, 'Bearer', 'Bearer two words'])
        expect(by({ authorization })).toThrow('what came in `Authorization` is not `Bearer` and one key: send ');
      expect(by({})).toThrow('the request has no key: send ');
      expect(by({ 'x-api-key': schemed })).toThrow('is no key');
      expect(by({ 'x-api-key': bare })()).toBe(by({ 'x-api-key': bare })());
      expect(by({ authorization: schemed })()).toBe(by({ authorization: schemed })());
    }
    await keys.close();
  });

  it('ends when its key is revoked, or its time is shortened', async () => {
    const { enter, revoke, shorten, pass, keys } = await setUp();
    void enter();
    shorten(5);
    await keys.refresh();
    pass(4);
    void enter();
    pass(1);
    expect(enter).toThrow('has expired');
    revoke();
    await keys.refresh();
    expect(enter).toThrow('was revoked');
    await keys.close();
  });

  it('holds while the registry is away, and no longer', async () => {
    const { enter, revoke, goAway, keys } = await setUp();
    goAway(true);
    revoke();
    await keys.refresh();
    expect(enter()).toBeDefined();
    goAway(false);
    await keys.refresh();
    expect(enter).toThrow('was revoked');
    await keys.close();
  });

  it('tells of its use once, at the end', async () => {
    const { gate, enter, id, used, keys } = await setUp();
    for (let at = 0; at < 1000; at++) {
      const known = enter();
      if (known instanceof Promise) throw new Error('a key takes no promise');
      gate.permit(known, 'read', undefined);
    }
    await keys.close();
    expect(used.map((times) => [...times.keys()])).toEqual([[id]]);
  });

  it('tells the time of its last use, not when that is told, and again where it could not be', async () => {
    vi.useFakeTimers();
    try {
      const { gate, enter, pass, goAway, id, used, keys } = await setUp();
      const use = (): number => {
        gate.permit(enter() as Known, 'read', undefined);
        return pass(0);
      };
      use();
      pass(3);
      const last = use();
      pass(20);
      goAway(true);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(used).toEqual([]);
      goAway(false);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(used).toEqual([new Map([[id, last]])]);
      await vi.advanceTimersByTimeAsync(60_000);
      await keys.close();
      expect(used).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });
});
