// Dead letters in a topic: key, value and headers as they came, with headers of ours that say why and from where.

import { Admin, Producer } from '@platformatic/kafka';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { DeadLetter, DeadLetters } from '../message-stream.ts';
import { type BrokerAddress, clientOptions } from '../../storage/index.ts';
import { kafkaError } from './kafka-errors.ts';

export interface DeadLetterTopicOptions {
  readonly address: BrokerAddress;
  readonly topic: string;
  /** The topic that the messages come from. */
  readonly of: string;
}

/** It is made with the brokers' own settings where it is not there. */
export function openDeadLetterTopic({ address, topic, of }: DeadLetterTopicOptions): DeadLetters {
  const producer = new Producer({ ...clientOptions(address), acks: -1, autocreateTopics: false });
  const place = { brokers: address.brokers, topic };
  const messageFor = ({ partition, message, reason }: DeadLetter) => ({
    topic,
    ...(message.key === null ? {} : { key: Buffer.from(message.key) }),
    ...(message.value === null ? {} : { value: Buffer.from(message.value) }),
    timestamp: BigInt(message.timestampMs),
    headers: new Map([
      ...message.headers.map(([name, value]): [Buffer, Buffer] => [Buffer.from(name), Buffer.from(value ?? [])]),
      ...Object.entries({ reason, topic: of, partition, offset: message.offset }).map(
        ([name, value]): [Buffer, Buffer] => [Buffer.from(`headrace-${name}`), Buffer.from(String(value))],
      ),
    ]),
  });
  const send = (letters: readonly DeadLetter[]) => producer.send({ messages: letters.map(messageFor) });
  const create = async (): Promise<void> => {
    const admin = new Admin(clientOptions(address));
    try {
      await admin.createTopics({ topics: [topic], partitions: -1, replicas: -1 });
    } finally {
      await admin.close().catch(() => {});
    }
  };
  return {
    name: `topic "${topic}"`,
    async put(letters) {
      try {
        await send(letters).catch(async (thrown: unknown) => {
          producer.clearMetadata();
          if (kafkaError(thrown, place).code !== 'HR_STREAM_TOPIC') throw thrown;
          await create();
          await send(letters);
        });
      } catch (thrown) {
        const error = kafkaError(thrown, place);
        if (error.code === 'HR_STREAM_REFUSED') throw error;
        throw new HeadraceError('HR_DEAD_LETTERS', `topic "${topic}" takes no dead letters: ${messageOf(error)}`, {
          cause: thrown,
        });
      }
    },
    close: () => producer.close(true).catch(() => {}),
  };
}
