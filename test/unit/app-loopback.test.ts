// Where a server may listen without anybody being asked for a key.

import { describe, expect, it } from 'vitest';
import { checkHost, isLoopback } from '../../src/app/loopback.ts';
import { type Logger, silentLogger } from '../../src/core/index.ts';

it.each(['localhost', '::1', '[::1]', '127.0.0.1', '127.9.9.9'])('%s is reached from this machine alone', (host) => {
  expect(isLoopback(host)).toBe(true);
});

it.each(['0.0.0.0', '::', '10.0.0.1', '127.evil.example', '127.0.0.1.example', '1.127.0.0', 'localhost.example', ''])(
  '%j may be reached from others',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);

describe('an address that others can reach', () => {
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  it('is refused without keys, unless that is asked for, and then it is warned of', () => {
    expect(() => checkHost('0.0.0.0', false, false, logger)).toThrow(/no API key is in force/);
    expect(() => checkHost('0.0.0.0', true, false, logger)).not.toThrow();
    expect(() => checkHost('127.0.0.1', false, false, logger)).not.toThrow();
    checkHost('127.0.0.1', false, true, logger);
    checkHost('0.0.0.0', true, true, logger);
    expect(warnings).toEqual([]);
    checkHost('0.0.0.0', false, true, logger);
    expect(warnings).toEqual([{ host: '0.0.0.0' }]);
  });
});
