// What the variable of a topic's brokers may hold, and that no error repeats what may be a password.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Admin } from '@platformatic/kafka';
import { describe, expect, it } from 'vitest';
import { clientOptions, parseBrokers } from '../../src/storage/index.ts';

describe('the address of brokers', () => {
  it.each([
    ['a', { brokers: ['a:9092'], isEncrypted: false }],
    ['a:1,[::1]:2', { brokers: ['a:1', '[::1]:2'], isEncrypted: false }],
    ['kafkas://a:1', { brokers: ['a:1'], isEncrypted: true }],
    ['kafkas://[::1]:9093/', { brokers: ['[::1]:9093'], isEncrypted: true }],
    ['kafka://me:s%40%2F@a:1', { brokers: ['a:1'], login: { mechanism: 'PLAIN', user: 'me', password: 's@/' } }],
    ['kafka://me:a:b::c@a:1', { login: { mechanism: 'PLAIN', user: 'me', password: 'a:b::c' } }],
    ['kafkas://me:s@a?mechanism=SCRAM-SHA-512', { login: { mechanism: 'SCRAM-SHA-512', user: 'me', password: 's' } }],
  ])('is read from %s', (text, address) => {
    expect(parseBrokers(text, 'K')).toMatchObject(address);
  });

  it.each([
    ['kafka://me:hunter2@a:0', /holds no addresses/],
    ['kafka://me:hunter2@a:99999', /holds no addresses/],
    ['kafka://me:hun/ter2@a:1', /holds no addresses/],
    ['kafka://me:hunter2@', /holds no addresses/],
    ['kafka://hunter2@a:1', /must have a user and a password/],
    ['kafka://:hunter2@a:1', /must have a user and a password/],
    ['kafka://me:hunter2%@a:1', /must have a user and a password/],
    ['kafka://me:hunter2@a:1?mechanism=NTLM', /none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512/],
    ['kafka://me:hunter2@a:1?ca=x', /there are mechanism and sslrootcert/],
    ['kafka://me:hunter2@a:1?sslrootcert=/x.pem', /sslrootcert, which is for kafkas:\/\/ alone/],
    ['kafkas://me:hunter2@a:1?sslrootcert=/not/there.pem', /no file of certificates .*"\/not\/there\.pem"/],
  ])('is refused from %s', (text, message) => {
    expect(() => parseBrokers(text, 'KAFKA_URL')).toThrow(expect.objectContaining({ code: 'HR_CONFIG' }) as Error);
    expect(() => parseBrokers(text, 'KAFKA_URL')).toThrow(message);
    expect(() => parseBrokers(text, 'KAFKA_URL')).toThrow(/KAFKA_URL/);
    expect(() => parseBrokers(text, 'KAFKA_URL')).not.toThrow(/hun.?ter2/);
  });

  it('is refused with a file of authorities that is none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'headrace-brokers-'));
    try {
      writeFileSync(join(folder, 'key.pem'), '-----BEGIN PRIVATE KEY-----\nhunter2');
      const text = `kafkas://a:1?sslrootcert=${join(folder, 'key.pem')}`;
      expect(() => parseBrokers(text, 'K')).toThrow(/no file of certificates/);
      expect(() => parseBrokers(text, 'K')).not.toThrow(/hunter2/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  // Who serves many clusters by one address goes by it; a Kafka of one's own answers to any.
  it('tells the host to who serves several, and no address of the network', async () => {
    const asked: string[] = [];
    const server = createServer({
      SNICallback(name, done) {
        asked.push(name);
        done(new Error('this is all'));
      },
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const host of ['localhost', '127.0.0.1']) {
      const admin = new Admin(clientOptions(parseBrokers(`kafkas://${host}:${port}`, 'K')));
      await expect(admin.listTopics({})).rejects.toThrow();
      await admin.close();
    }
    server.close();
    expect(asked).toEqual(['localhost']);
  });
});
