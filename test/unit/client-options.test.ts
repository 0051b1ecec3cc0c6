// What a client and its calls may be made with: deadlines and retries at their bounds, and which stands in for which.

import { describe, expect, it } from 'vitest';
import { baseOf, patienceOf } from '../../src/client/options.ts';

describe('the patience of a call', () => {
  it.each([
    ['the call’s own', { timeoutMs: 10, retries: 1 }, { timeoutMs: 20, retries: 0 }, { timeoutMs: 20, retries: 0 }],
    ['else the client’s', { timeoutMs: 10, retries: 1 }, {}, { timeoutMs: 10, retries: 1 }],
    ['else the default', {}, undefined, { timeoutMs: 30_000, retries: 4 }],
  ])('is %s', (_, client, call, patience) => {
    expect(patienceOf(client, call)).toEqual(patience);
  });

  it.each([{ timeoutMs: 1 }, { timeoutMs: 3_600_000 }, { retries: 0 }, { retries: 100 }])('may be %o', (options) => {
    expect(patienceOf(options)).toMatchObject(options);
  });

  it.each([
    ['timeoutMs', 0],
    ['timeoutMs', 0.9],
    ['timeoutMs', -1],
    ['timeoutMs', 3_600_001],
    ['timeoutMs', Infinity],
    ['timeoutMs', NaN],
    ['retries', -1],
    ['retries', 1.5],
    ['retries', Infinity],
  ])('is refused with %s %d', (path, value) => {
    expect(() => patienceOf({ [path]: value })).toThrow(
      expect.objectContaining({ code: 'HR_INVALID', errors: [{ path, message: expect.stringContaining(`${value}`) }] }),
    );
  });
});

describe('the address of a server', () => {
  it('has no slash at its end', () => {
    expect(baseOf('https://features.example.org/headrace//')).toBe('https://features.example.org/headrace');
  });

  it.each([
    ['features', 'url: expected an address such as http://127.0.0.1:8080, got string.'],
    ['ftp://features', 'url: expected http: or https:, got ftp:.'],
    ['http://features/?key=1', 'url: expected an address without ? and #, got one with them.'],
    ['http://features/#top', 'url: expected an address without ? and #, got one with them.'],
  ])('is not %s', (url, message) => {
    expect(() => baseOf(url)).toThrow(expect.objectContaining({ code: 'HR_INVALID', message }));
  });
});
