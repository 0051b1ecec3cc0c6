// What a variable says of brokers, and that no error shows what it holds.

import { describe, expect, it } from 'vitest';
import { messageOf } from '../../src/core/index.ts';
import { parseBrokers } from '../../src/streams/index.ts';

describe('the addresses of brokers', () => {
  it.each([
    ['a:1,b:2', { brokers: ['a:1', 'b:2'], isEncrypted: false }],
    ['a', { brokers: ['a:9092'], isEncrypted: false }],
    ['kafkas://[::1]:9093/', { brokers: ['[::1]:9093'], isEncrypted: true }],
  ])('%s', (text, expected) => {
    expect(parseBrokers(text, 'K')).toEqual(expected);
  });

  it.each([
    ['kafka://u:p@a:1', { mechanism: 'PLAIN', user: 'u', password: 'p' }],
    ['kafka://u:p%40%2F@a:1?mechanism=SCRAM-SHA-512', { mechanism: 'SCRAM-SHA-512', user: 'u', password: 'p@/' }],
    // All after the first colon, as in any URL.
    ['kafka://u:p:q:r@a:1', { mechanism: 'PLAIN', user: 'u', password: 'p:q:r' }],
  ])('and who signs in: %s', (text, login) => {
    expect(parseBrokers(text, 'K').login).toEqual(login);
  });

  it.each([
    ['kafka://hidden:secret@a:99999', 'it must be host:port'],
    ['kafka://hidden:se/cret@a:1', 'it must be host:port'],
    ['kafka://hidden@a:1', 'a user and a password'],
    ['kafka://hidden:sec%ret@a:1', 'a user and a password'],
    ['kafka://hidden:secret@a:1?mechanism=secret', 'SCRAM-SHA-256'],
    ['kafka://hidden:secret@a:1?secret=1', 'there is mechanism'],
  ])('that cannot be: %s', (text, expected) => {
    let told = '';
    try {
      parseBrokers(text, 'K_URL');
    } catch (thrown) {
      told = messageOf(thrown);
    }
    expect(told).toContain('K_URL');
    expect(told).toContain(expected);
    expect(told).not.toMatch(/hidden|sec.?ret/);
  });
});
