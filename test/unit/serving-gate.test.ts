// The gate's parts by themselves: key texts, origins, hosts, and checks that are remembered.

import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Clock, silentLogger } from '../../src/core/index.ts';
import { fitsSecret, readKeyToken } from '../../src/registry/index.ts';
import { hashSecret, newKeyToken, writeKeyToken } from '../../src/registry/key-token.ts';
import { createGate } from '../../src/serving/http/security/gate.ts';
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
  const check = (headers: Record<string, string>) => () => refuseForeignPage(headers);

  it('is the server’s own only where host and port are', () => {
    const host = fc.constantFrom('localhost', 'localhost:8080', '127.0.0.1', '[::1]:80', 'a.example', 'a.example:443');
    fc.assert(
      fc.property(host, host, fc.constantFrom('http', 'https'), (page, server, scheme) => {
        const port = scheme === 'https' ? ':443' : ':80';
        const bare = (text: string): string => (text.endsWith(port) ? text.slice(0, -port.length) : text);
        const expected = expect(check({ origin: `${scheme}://${page}`, host: server }));
        if (bare(page) === bare(server)) expected.not.toThrow();
        else expected.toThrow();
      }),
    );
  });

  it('of any text other than its own is foreign', () => {
    fc.assert(
      fc.property(fc.string(), (origin) => {
        fc.pre(!/^https?:\/\/localhost(:\d+)?$/i.test(origin));
        expect(check({ origin, host: 'localhost' })).toThrow();
      }),
    );
    expect(check({ origin: 'http://localhost' })).toThrow();
    expect(check({ host: 'localhost' })).not.toThrow();
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

describe('what was checked once', () => {
  const SECOND = 1_000_000;
  const setUp = async () => {
    let nowMicros = 1_795_000_000 * SECOND;
    const clock: Clock = { nowMicros: () => nowMicros };
    const { id, secret } = newKeyToken();
    const text = writeKeyToken({ id, secret });
    let revokedMicros: number | null = null;
    let expiresMicros = nowMicros + 60 * SECOND;
    const base = { id, name: 'k', endpoints: null, createdMicros: 0, createdBy: 'ann', usedMicros: null };
    const secretHash = hashSecret(secret).toString('hex');
    const keyNow = () => ({ ...base, roles: ['read' as const], secretHash, revokedMicros, expiresMicros });
    let [token, isAway] = [1, false];
    const used: ReadonlyMap<string, number>[] = [];
    const unlessAway = <Value>(value: () => Value): Promise<Value> =>
      isAway ? Promise.reject(new Error('away')) : Promise.resolve(value());
    let listed = keyNow();
    const markUsed = (times: (typeof used)[number]) => unlessAway(() => void used.push(times));
    const source: KeySource = {
      changeToken: () => unlessAway(() => token),
      keys: { list: () => Promise.resolve([listed]), markUsed },
    };
    let forget = (): void => {};
    const keys = await openKeyRing({ source, clock, logger: silentLogger, onChange: () => forget() });
    onTestFinished(() => keys.close());
    const open = { tokens: undefined, opensTo: 'loopback', host: '127.0.0.1', rateLimit: undefined } as const;
    const gate = createGate({ ...open, keys, clock });
    forget = gate.forget;
    const by = (headers: { authorization?: string; 'x-api-key'?: string }) =>
      gate.identify({ host: 'localhost', ...headers }, '127.0.0.1', 'read');
    const changed = () => {
      listed = keyNow();
      token++;
    };
    return {
      keys,
      used,
      id,
      key: text,
      by,
      enter: () => by({ authorization: `Bearer ${text}` }),
      use: () => gate.permit(by({ authorization: `Bearer ${text}` }) as Known, 'read', undefined),
      pass: (seconds: number) => (nowMicros += seconds * SECOND),
      revoke() {
        revokedMicros = nowMicros;
        changed();
      },
      shorten(seconds: number) {
        expiresMicros = nowMicros + seconds * SECOND;
        changed();
      },
      goAway: (away: boolean) => (isAway = away),
    };
  };

  it('is not checked again, and ends with its key’s time', async () => {
    const { enter, pass } = await setUp();
    expect(enter()).toBe(enter());
    pass(59);
    expect(enter()).toMatchObject({ actor: { roles: new Set(['read']) } });
    pass(1);
    expect(enter).toThrow('has expired');
  });

  it('came in one header, and lets nobody in by the other', async () => {
    const { by, key } = await setUp();
    const schemed = `Bearer ${key}`;
    for (let time = 0; time < 2; time++) {
      const NOT_ONE = 'what came in `Authorization` is not `Bearer` and one key: send ';
      for (const authorization of [key, `Basic ${key}`, 'Bearer', 'Bearer two words'])
        expect(() => by({ authorization })).toThrow(NOT_ONE);
      expect(() => by({})).toThrow('the request has no key: send ');
      expect(() => by({ 'x-api-key': schemed })).toThrow('is no key');
      expect(by({ 'x-api-key': key })).toBe(by({ 'x-api-key': key }));
      expect(by({ authorization: schemed })).toBe(by({ authorization: schemed }));
    }
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
  });

  it('holds while the registry is away, and no longer', async () => {
    const { enter, id, revoke, goAway, keys } = await setUp();
    goAway(true);
    revoke();
    await keys.refresh();
    expect(enter()).toMatchObject({ actor: { name: `key hr_${id}` } });
    goAway(false);
    await keys.refresh();
    expect(enter).toThrow('was revoked');
  });

  it('tells of its use once, at the end', async () => {
    const { use, id, used, keys } = await setUp();
    for (let at = 0; at < 1000; at++) use();
    await keys.close();
    expect(used.map((times) => [...times.keys()])).toEqual([[id]]);
  });

  it('tells the time of its last use, not when that is told, and again where it could not be', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { use, pass, goAway, id, used, keys } = await setUp();
    use();
    const last = pass(3);
    use();
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
  });
});
