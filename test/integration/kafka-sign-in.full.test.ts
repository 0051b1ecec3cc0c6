// Signing in to a real Kafka: PLAIN and SCRAM, in the clear and behind TLS, and what is said where a password, an authority,
// a host name or the protocol is a wrong one. Nothing that is said shows a password.
// twin: test/contract/message-stream.test.ts > signs in, and says who may not, without a word of the password
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
  const { user, password } = { user: 'reader', password: 'reader-secret' };
  const clear = (login: string, options = '') => `kafka://${login}@${kafka.guarded.broker}${options}`;
  const encrypted = (login: string, options: string, host = 'localhost') =>
    `kafkas://${login}@${host}:${kafka.encryptedPort}?${options}`;

  it.each(MECHANISMS)('lets in by %s who knows the password, in the clear and behind TLS', async (mechanism) => {
    expect(await look(clear(`${user}:${password}`, `?mechanism=${mechanism}`))).toMatch(/\w/);
    const options = `mechanism=${mechanism}&sslrootcert=${encodeURIComponent(root)}`;
    expect(await look(encrypted(`${user}:${password}`, options))).toMatch(/\w/);
  });

  it('writes dead letters through the same door', async () => {
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

  const wrong = (mechanism: string) => [
    ...[`${user}:hunter2`, `nobody:${password}`].map((login) => clear(login, `?mechanism=${mechanism}`)),
    encrypted(`${user}:hunter2`, `mechanism=${mechanism}&sslrootcert=${root}`),
  ];
  const trusting = (more: string, host?: string) => [encrypted(`${user}:${password}`, `mechanism=PLAIN${more}`, host)];
  const UNKNOWN =
    /brokers at localhost:\d+ cannot be used: their certificate is of an authority.*self-signed certificate.*sslrootcert=FILE/s;
  const REFUSED = 'HR_STREAM_REFUSED';
  const UNAVAILABLE = 'HR_STREAM_UNAVAILABLE';
  const refusals: Readonly<Record<string, readonly [addresses: () => string[], code: string, message: RegExp]>> = {
    ...Object.fromEntries(
      MECHANISMS.map((mechanism) => [
        `a wrong user or password by ${mechanism}`,
        [
          () => wrong(mechanism),
          REFUSED,
          /the brokers at \S+ refuse us \(SASL_AUTHENTICATION_FAILED\).*check user, password and mechanism/s,
        ],
      ]),
    ),
    'no authority of its own': [() => trusting(''), REFUSED, UNKNOWN],
    'another authority': [() => trusting(`&sslrootcert=${join(folder, 'other.pem')}`), REFUSED, UNKNOWN],
    'a host that the certificate is not for': [
      () => trusting(`&sslrootcert=${root}`, '127.0.0.1'),
      REFUSED,
      /brokers at 127\.0\.0\.1:\d+ cannot be used: their certificate is for DNS:localhost, not for 127\.0\.0\.1: write a host/,
    ],
    'no TLS to brokers that speak it and show it': [
      () => [`kafka://localhost:${kafka.encryptedPort}`],
      REFUSED,
      /speak TLS.*kafkas:\/\//,
    ],
    // The connection ends, as it does when a broker stops: what is tried again may work.
    'no TLS to brokers that want it, where they end the connection': [
      () => [`kafka://${user}:${password}@localhost:${kafka.encryptedPort}`],
      UNAVAILABLE,
      /If it stays so.*TLS \(kafkas:\/\/\)/,
    ],
    'TLS to brokers that speak none': [
      () => [`kafkas://${user}:${password}@${kafka.guarded.broker}`],
      UNAVAILABLE,
      /If it stays so, they speak no TLS there.*kafka:\/\//,
    ],
    'no user and no password': [
      () => [kafka.guarded.broker, `kafkas://localhost:${kafka.encryptedPort}?sslrootcert=${root}`],
      UNAVAILABLE,
      /If it stays so.*a user and password/,
    ],
  };

  it.each(Object.keys(refusals))('says what is wrong with %s, and shows no password', async (what) => {
    const [addresses, code, message] = refusals[what] as (typeof refusals)[string];
    for (const brokers of addresses()) {
      const error = await look(brokers).then(
        () => expect.fail(`${brokers} was let in`),
        (thrown: Error) => thrown,
      );
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/hunter2|reader-secret/);
    }
  });
});
