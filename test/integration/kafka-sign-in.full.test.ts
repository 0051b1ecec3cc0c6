// Signing in to a real Kafka: PLAIN and SCRAM, in the clear and behind TLS, and what is said where a password, an authority,
// a host name or the protocol is a wrong one. Nothing that is said shows a password.
// twin: test/contract/message-stream.test.ts > signs in, and says who may not
// twin: test/unit/kafka-broker-address.test.ts > is refused from %s

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBrokers } from '../../src/storage/index.ts';
import { openDeadLetterTopic, openKafkaStream } from '../../src/streams/index.ts';
import { makeCertificate } from '../support/certificates.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { skipBecause } from '../support/skips.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const program = hasOpenssl ? findKafka() : undefined;
if (program === undefined)
  skipBecause(`signing in to Kafka: ${hasOpenssl ? WITHOUT_KAFKA : 'there is no openssl on this machine'}`);

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

describe.skipIf(program === undefined)('signing in to Kafka', { timeout: 30_000 }, () => {
  let kafka: KafkaServer;
  let topic: string;
  let folder: string;
  let root: string;
  beforeAll(async () => {
    if (program === undefined) return;
    folder = mkdtempSync(join(tmpdir(), 'headrace-sign-in-'));
    const certificate = makeCertificate('kafka', 2, 'DNS:localhost');
    root = join(folder, 'root.pem');
    writeFileSync(root, certificate.cert);
    writeFileSync(join(folder, 'other.pem'), makeCertificate('other').cert);
    kafka = await startKafka(program, certificate);
    topic = await kafka.newTopic();
  }, 90_000);
  afterAll(async () => {
    await kafka?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** The topic's id, once it was looked at and a partition's bounds were read. */
  const look = async (brokers: string): Promise<string> => {
    const stream = await openKafkaStream({ address: parseBrokers(brokers, 'K'), topic, group: 'g' });
    try {
      expect(await stream.bounds([0])).toEqual(new Map([[0, { start: 0, end: 0 }]]));
      return stream.topicId;
    } finally {
      await stream.close();
    }
  };
  /** What is said of a failure, with everything that hangs on it. */
  const refusal = async (brokers: string): Promise<{ code: string; message: string; all: string }> => {
    const error = await look(brokers).then(
      () => expect.fail(`${brokers} was let in`),
      (thrown: Error & { code: string }) => thrown,
    );
    return { code: error.code, message: error.message, all: inspect(error, { depth: 20, showHidden: true }) };
  };
  const encrypted = (login: string, options: string, host = 'localhost') =>
    `kafkas://${login}@${host}:${kafka.encryptedPort}?${options}`;

  it.each(MECHANISMS)('lets in by %s who knows the password, and nobody else', async (mechanism) => {
    const { broker, user, password } = kafka.guarded;
    expect(await look(`kafka://${user}:${password}@${broker}?mechanism=${mechanism}`)).toMatch(/\w/);
    for (const login of [`${user}:hunter2`, `nobody:${password}`]) {
      const { code, message, all } = await refusal(`kafka://${login}@${broker}?mechanism=${mechanism}`);
      expect(code).toBe('HR_STREAM_REFUSED');
      expect(message).toContain(`the brokers at ${broker} refuse us (SASL_AUTHENTICATION_FAILED)`);
      expect(message).toMatch(/check user, password and mechanism/);
      expect(all).not.toMatch(/hunter2|reader-secret/);
    }
  });

  it.each(MECHANISMS)('does so behind TLS by %s, to whom the certificate proves itself', async (mechanism) => {
    const { user, password } = kafka.guarded;
    const options = `mechanism=${mechanism}&sslrootcert=${encodeURIComponent(root)}`;
    expect(await look(encrypted(`${user}:${password}`, options))).toMatch(/\w/);
    const { code, all } = await refusal(encrypted(`${user}:hunter2`, options));
    expect(code).toBe('HR_STREAM_REFUSED');
    expect(all).not.toMatch(/hunter2|reader-secret/);
  });

  it('writes dead letters through the same door', async () => {
    const { user, password } = kafka.guarded;
    const options = `mechanism=SCRAM-SHA-512&sslrootcert=${root}`;
    const letters = openDeadLetterTopic({
      address: parseBrokers(encrypted(`${user}:${password}`, options), 'K'),
      topic: 'dead',
      of: topic,
    });
    const message = { offset: 0, key: null, value: Buffer.from('x'), headers: [], timestampMs: 0 };
    await letters.put([{ partition: 0, message, reason: 'no row' }]);
    await letters.close();
    const admin = kafka.admin();
    expect(await admin.listTopics({})).toContain('dead');
    await admin.close();
  });

  it.each([
    ['no authority of its own', () => ''],
    ['another authority', () => `&sslrootcert=${join(folder, 'other.pem')}`],
  ])('says that the certificate is of an authority not known here: %s', async (_, more) => {
    const { code, message, all } = await refusal(encrypted('reader:reader-secret', `mechanism=PLAIN${more()}`));
    expect(code).toBe('HR_STREAM_REFUSED');
    expect(message).toMatch(
      /brokers at localhost:\d+ cannot be used: their certificate is of an authority.*self-signed certificate/s,
    );
    expect(message).toMatch(/sslrootcert=FILE/);
    expect(all).not.toMatch(/reader-secret/);
  });

  it('says which hosts the certificate is for, where ours is none of them', async () => {
    const login = encrypted('reader:reader-secret', `mechanism=PLAIN&sslrootcert=${root}`, '127.0.0.1');
    const { code, message, all } = await refusal(login);
    expect(code).toBe('HR_STREAM_REFUSED');
    expect(message).toMatch(
      /brokers at 127\.0\.0\.1:\d+ cannot be used: their certificate is for DNS:localhost, not for 127\.0\.0\.1: write a host/,
    );
    expect(all).not.toMatch(/reader-secret/);
  });

  it('says that brokers speak TLS, for certain where they show it', async () => {
    const shown = await refusal(`kafka://localhost:${kafka.encryptedPort}`);
    expect(shown).toMatchObject({
      code: 'HR_STREAM_REFUSED',
      message: expect.stringMatching(/speak TLS.*kafkas:\/\//),
    });
    // The connection ends, as it does when a broker stops: what is tried again may work.
    const ended = await refusal(`kafka://reader:reader-secret@localhost:${kafka.encryptedPort}`);
    expect(ended.code).toBe('HR_STREAM_UNAVAILABLE');
    expect(ended.message).toMatch(/If it stays so.*TLS \(kafkas:\/\/\)/);
    expect(ended.all).not.toMatch(/reader-secret/);
  });

  it('says what they may lack or want else: no TLS, a user and a password', async () => {
    const clear = await refusal(`kafkas://reader:reader-secret@${kafka.guarded.broker}`);
    expect(clear.code).toBe('HR_STREAM_UNAVAILABLE');
    expect(clear.message).toMatch(/If it stays so, they speak no TLS there.*kafka:\/\//);
    expect(clear.all).not.toMatch(/reader-secret/);
    for (const nobody of [kafka.guarded.broker, `kafkas://localhost:${kafka.encryptedPort}?sslrootcert=${root}`]) {
      const { code, message } = await refusal(nobody);
      expect(code).toBe('HR_STREAM_UNAVAILABLE');
      expect(message).toMatch(/If it stays so.*a user and password/);
    }
  });
});
