// A real Kafka broker of the tests' own (KRaft, one node): loopback ports and a temporary folder, gone when stopped. It
// listens without a password, with one (SASL PLAIN and SCRAM) and, where it is given a certificate, with one behind TLS.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Admin, Consumer, Producer } from '@platformatic/kafka';
import type { Certificate } from './certificates.ts';
import { freePort } from './free-port.ts';
import type { KafkaProgram } from './kafka-program.ts';
import { leaveToRun, type Lifetime, serverFolder } from './server-lifetime.ts';

export type KafkaServer = Awaited<ReturnType<typeof startKafka>>;

export interface SentMessage {
  readonly value: Buffer | string | null;
  readonly key?: Buffer | string;
  readonly partition?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestamp?: bigint;
}

const START_LIMIT_MS = 60_000;
const SMALL = ['-Xmx256m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xlog:disable'];
const USER = 'reader';
const PASSWORD = 'reader-secret';
const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

export async function startKafka({ jars }: KafkaProgram, certificate?: Certificate, lifetime: Lifetime = {}) {
  const folder = serverFolder('kafka', lifetime);
  const [plain, guarded, controller] = [await freePort(), await freePort(), await freePort()];
  const encrypted = certificate && { port: await freePort(), chain: join(folder, 'chain.pem') };
  const settings = join(folder, 'server.properties');
  const output = join(folder, 'output.txt');
  if (encrypted !== undefined) writeFileSync(encrypted.chain, `${certificate?.key}${certificate?.cert}`);
  writeFileSync(settings, properties(join(folder, 'data'), { plain, guarded, controller, encrypted }));
  const words = (main: string, ...more: string[]): string[] => [...SMALL, '-cp', join(jars, '*'), main, ...more];
  const id = 'aGVhZHJhY2UtdGVzdC0wMQ';
  const users = SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${USER},password=${PASSWORD}]`]);
  const formatStorage = (config: string, ...more: string[]): void => {
    const format = words('kafka.tools.StorageTool', 'format', '-t', id, '-c', config, ...more);
    const formatted = spawnSync('java', format, { encoding: 'utf8' });
    if (formatted.status !== 0) throw new Error(`Kafka's storage could not be formatted: ${formatted.stderr}`);
  };
  formatStorage(settings, ...users);

  const broker = `127.0.0.1:${plain}`;
  let server: ChildProcess | undefined;
  let producer: Producer | undefined;
  /** Partitions by topic. */
  const topics = new Map<string, number>();
  const admin = (): Admin => new Admin({ clientId: 'headrace-test', bootstrapBrokers: [broker], retries: 0 });

  const answers = async (): Promise<boolean> => {
    const client = admin();
    try {
      await client.listTopics({});
      return true;
    } catch {
      return false;
    } finally {
      await client.close().catch(() => {});
    }
  };
  /** Resolves once each partition of the topic takes requests. */
  const leaders = async (topic: string): Promise<void> => {
    const client = new Consumer({ clientId: 'headrace-test', groupId: 'none', bootstrapBrokers: [broker], retries: 0 });
    try {
      for (const limit = performance.now() + START_LIMIT_MS; performance.now() < limit; await sleep(50)) {
        const found = await client.listOffsets({ topics: [topic] }).catch(() => undefined);
        if (found?.get(topic)?.filter((offset) => offset >= 0n).length === (topics.get(topic) ?? 1)) return;
        client.clearMetadata();
      }
      throw new Error(`topic ${topic} has no leaders`);
    } finally {
      await client.close().catch(() => {});
    }
  };
  const launch = (config: string): ChildProcess => {
    const file = openSync(output, 'a');
    return spawn('java', words('kafka.Kafka', config), { cwd: folder, stdio: ['ignore', file, file] });
  };
  const start = async (): Promise<void> => {
    const own = launch(settings);
    server = own;
    leaveToRun(own, lifetime);
    const limit = performance.now() + START_LIMIT_MS;
    while (!(await answers())) {
      if (own.exitCode !== null || performance.now() > limit)
        throw new Error(`Kafka did not start: ${readFileSync(output, 'utf8').slice(-2000)}`);
      await sleep(100);
    }
  };
  const kill = async (running: ChildProcess | undefined): Promise<void> => {
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((done) => running.once('exit', done));
    running.kill('SIGKILL');
    await gone;
  };
  const closeProducer = async (): Promise<void> => {
    await producer?.close(true).catch(() => {});
    producer = undefined;
  };
  const end = async (): Promise<void> => {
    await kill(server);
    server = undefined;
    await closeProducer();
  };
  let second: ChildProcess | undefined;
  const addBroker = async () => {
    const more = join(folder, 'second.properties');
    writeFileSync(more, secondProperties(join(folder, 'second-data'), await freePort(), controller));
    formatStorage(more);
    second = launch(more);
    const client = admin();
    try {
      for (const limit = performance.now() + START_LIMIT_MS; performance.now() < limit; await sleep(100)) {
        client.clearMetadata();
        if ((await client.metadata({ topics: [] })).brokers.size === 2) return { kill: () => kill(second) };
      }
      throw new Error('the second broker did not start');
    } finally {
      await client.close().catch(() => {});
    }
  };
  const stop = async (): Promise<void> => {
    await closeProducer();
    await kill(second);
    await end();
    rmSync(folder, { recursive: true, force: true });
  };

  await start().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    /** `host:port`, as a client is told. */
    broker,
    /** The listener that wants a user and a password: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
    guarded: { broker: `127.0.0.1:${guarded}`, user: USER, password: PASSWORD },
    /** The port of the one that does so behind TLS, as `localhost`; undefined without a certificate. */
    encryptedPort: encrypted?.port,
    /** A new topic, under a name of its own unless one is given; gives its name. */
    async newTopic(partitions = 1, topic = `topic-${topics.size + 1}`): Promise<string> {
      topics.set(topic, partitions);
      const client = admin();
      await client.createTopics({ topics: [topic], partitions, replicas: 1 });
      await client.close();
      await leaders(topic);
      return topic;
    },
    /** Sends in order, whole batches at once; resolves once the broker has all. */
    async send(topic: string, messages: readonly SentMessage[]): Promise<void> {
      // Nothing is tried again: what was sent may be there all the same, and then it would be there twice.
      if (producer === undefined) await leaders(topic);
      producer ??= new Producer({ clientId: 'headrace-test', bootstrapBrokers: [broker], retries: 0, timeout: 30_000 });
      for (let at = 0; at < messages.length; at += 5000) {
        const some = messages.slice(at, at + 5000).map(({ key, value, partition, headers, timestamp }) => ({
          topic,
          // A message without a value is a null one, as compacted topics have them.
          ...(value === null ? {} : { value: Buffer.from(value) }),
          ...(key === undefined ? {} : { key: Buffer.from(key) }),
          ...(partition === undefined ? {} : { partition }),
          ...(timestamp === undefined ? {} : { timestamp }),
          headers: new Map(Object.entries(headers ?? {}).map(([k, v]) => [Buffer.from(k), Buffer.from(v)])),
        }));
        await producer.send({ messages: some, acks: -1 });
      }
      // A test file leaves no connection behind.
      if (lifetime.isShared !== true) return;
      await producer?.close();
      producer = undefined;
    },
    admin,
    /** A second broker, number 2, that leads what is given to it; it is gone with the first. */
    addBroker,
    /** Ends it as a power cut would, keeping its files. */
    kill: end,
    /** Starts it again on the same ports and files; resolves once it answers. */
    start,
    /** It holds its connections and answers nothing. */
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    stop,
  };
}

interface Listeners {
  readonly plain: number;
  readonly guarded: number;
  readonly controller: number;
  /** With the file of its key and certificate. */
  readonly encrypted: { readonly port: number; readonly chain: string } | undefined;
}

const text = (entries: Readonly<Record<string, string>>): string =>
  Object.entries(entries)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');

const common = (id: number, controller: number, data: string): Readonly<Record<string, string>> => ({
  'node.id': `${id}`,
  'controller.quorum.voters': `1@127.0.0.1:${controller}`,
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAINTEXT',
  'log.dirs': data,
  'num.network.threads': '2',
  'num.io.threads': '2',
  'broker.heartbeat.interval.ms': '300',
  'broker.session.timeout.ms': '1500',
});

function properties(data: string, { plain, guarded, controller, encrypted }: Listeners): string {
  const listeners = [`PLAINTEXT://127.0.0.1:${plain}`, `SASL_PLAINTEXT://127.0.0.1:${guarded}`];
  if (encrypted !== undefined) listeners.push(`SASL_SSL://localhost:${encrypted.port}`);
  return text({
    ...common(1, controller, data),
    'process.roles': 'broker,controller',
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
    ...signIn('sasl_plaintext'),
    ...signIn('sasl_ssl'),
    ...(encrypted && { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': encrypted.chain }),
    'log.cleaner.dedupe.buffer.size': '10485760',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'auto.create.topics.enable': 'false',
    'log.retention.check.interval.ms': '1000',
  });
}

/** A listener's own users for PLAIN, and for SCRAM those that were made with the storage. */
function signIn(listener: string): Record<string, string> {
  const users = `username="${USER}" password="${PASSWORD}" user_${USER}="${PASSWORD}"`;
  const by = (mechanism: string, login: string): [string, string] => [
    `listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`,
    `org.apache.kafka.common.security.${login} required`,
  ];
  const [plain, text] = by('PLAIN', 'plain.PlainLoginModule');
  const scram = SCRAM.map((mechanism) => by(mechanism, 'scram.ScramLoginModule'));
  return Object.fromEntries([[plain, `${text} ${users};`], ...scram.map(([name, login]) => [name, `${login};`])]);
}

function secondProperties(data: string, plain: number, controller: number): string {
  return text({
    ...common(2, controller, data),
    'process.roles': 'broker',
    listeners: `PLAINTEXT://127.0.0.1:${plain}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  });
}
