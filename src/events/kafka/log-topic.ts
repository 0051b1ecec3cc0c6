// The topic that a log lies in: made where it is missing, and refused where Kafka would delete from it by itself.

import { Admin } from '@platformatic/kafka';
import { HeadraceError } from '../../core/index.ts';
import { type BrokerAddress, clientOptions, kafkaFault } from '../../storage/index.ts';
import type { BrokerLink, TopicNow } from './broker-link.ts';
import type { Retrying } from './retrying.ts';

export interface LogTopic extends TopicNow {
  /** Greatest batch that it takes, in bytes. */
  readonly batchBytes: number;
}

export interface TopicQuestion {
  readonly address: BrokerAddress;
  readonly link: BrokerLink;
  readonly retrying: Retrying;
  /** How many it is made with where it is missing; left out it must be there. */
  readonly partitions: number | undefined;
}

/** A push is one message: of a topic that we make it may be this large. */
const MESSAGE_BYTES = 64 << 20;
const TOPIC = 2;
const DEFAULT = -1;
const SETTINGS = ['cleanup.policy', 'retention.ms', 'retention.bytes', 'max.message.bytes'];

/** Throws HR_CONFIG where the topic loses what we keep in it, HR_STORAGE_UNAVAILABLE. */
export async function findTopic({ address, link, retrying, partitions }: TopicQuestion): Promise<LogTopic> {
  const admin = new Admin(clientOptions(address));
  try {
    link.refresh();
    const found = await retrying(() => (partitions === undefined ? link.topicNow() : topicOrNone(link)));
    const now = found ?? (await make(admin, link, retrying, partitions ?? DEFAULT));
    const settings = await retrying(() => settingsOf(admin, link.topic));
    checkSettings(link.topic, settings);
    return { ...now, batchBytes: Number(settings.get('max.message.bytes')) };
  } finally {
    await admin.close().catch(() => {});
  }
}

/** The topic as it is, checked; undefined where it is missing. Throws as `findTopic` does. */
export async function lookAtTopic({
  address,
  link,
  retrying,
}: Omit<TopicQuestion, 'partitions'>): Promise<TopicNow | undefined> {
  const found = await retrying(() => topicOrNone(link));
  return found === undefined ? undefined : findTopic({ address, link, retrying, partitions: undefined });
}

async function topicOrNone(link: BrokerLink): Promise<TopicNow | undefined> {
  try {
    return await link.topicNow();
  } catch (thrown) {
    if (kafkaFault(thrown).kind === 'topic') return undefined;
    throw thrown;
  }
}

async function make(admin: Admin, link: BrokerLink, retrying: Retrying, partitions: number): Promise<TopicNow> {
  await retrying(() =>
    admin
      .createTopics({
        topics: [link.topic],
        partitions,
        replicas: DEFAULT,
        configs: [
          { name: 'cleanup.policy', value: 'delete' },
          { name: 'retention.ms', value: '-1' },
          { name: 'retention.bytes', value: '-1' },
          { name: 'max.message.bytes', value: String(MESSAGE_BYTES) },
        ],
      })
      .catch((thrown: unknown) => {
        // Another process of ours was quicker.
        if (!kafkaFault(thrown).ids.includes('TOPIC_ALREADY_EXISTS')) throw thrown;
      }),
  );
  // It takes a moment until its partitions have leaders.
  return retrying(async () => {
    link.refresh();
    const now = await link.topicNow();
    if (now.leaders.every((leader) => leader < 0)) throw new Error(`topic "${link.topic}" has no leaders yet`);
    return now;
  });
}

async function settingsOf(admin: Admin, topic: string): Promise<ReadonlyMap<string, string | null>> {
  const [found] = await admin.describeConfigs({
    resources: [{ resourceType: TOPIC, resourceName: topic, configurationKeys: SETTINGS }],
  });
  return new Map((found?.configs ?? []).map(({ name, value }) => [name, value ?? null]));
}

function checkSettings(topic: string, settings: ReadonlyMap<string, string | null>): void {
  const wanted = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };
  const wrong = Object.entries(wanted).filter(([name, value]) => settings.get(name) !== value);
  if (wrong.length === 0) return;
  const has = wrong.map(([name]) => `${name}=${settings.get(name) ?? '(none)'}`).join(', ');
  const needs = wrong.map(([name, value]) => `${name}=${value}`).join(',');
  throw new HeadraceError(
    'HR_CONFIG',
    `pushLog.topic: topic "${topic}" has ${has}, by which Kafka would delete pushed events by itself; Headrace lets go of them by pushLog.retention. Set it with kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${needs}`,
  );
}
