// Appending to a partition under an epoch: of a transactional id there is one newest, and once its first message is in the
// partition the broker refuses every older one there, also what was sent before and comes late.

import { type CreateRecordsBatchOptions, type MessageRecord, NumericMap, type produceV11 } from '@platformatic/kafka';
import { kafkaFault } from '../../storage/index.ts';
import { type BrokerLink, NoLeader } from './broker-link.ts';

export interface ProducerEpoch {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** What became of one try. */
export type Produced =
  | { readonly kind: 'kept'; readonly offset: number }
  /** A newer epoch is at work. */
  | { readonly kind: 'fenced' }
  /** The broker does not go on from where we were: a new epoch begins anew. */
  | { readonly kind: 'lost'; readonly thrown: unknown }
  /** Nothing of it is kept. */
  | { readonly kind: 'refused'; readonly thrown: unknown }
  /** It may be kept, or be on its way. */
  | { readonly kind: 'unknown'; readonly thrown: unknown };

export interface ToProduce {
  readonly key: Buffer;
  readonly value: Buffer;
}

const ALL_REPLICAS = -1;
const ACK_TIMEOUT_MS = 5000;
const EPOCH_TIMEOUT_MS = 60_000;

const FENCED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'];
const LOST = [
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
];
/** Answers that leave open whether the leader has it. */
const OPEN = [
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'UNKNOWN_SERVER_ERROR',
  'KAFKA_STORAGE_ERROR',
  'NETWORK_EXCEPTION',
];

type ProduceArguments = [
  acks: number | undefined,
  timeout: number | undefined,
  messages: MessageRecord[],
  options?: Partial<CreateRecordsBatchOptions>,
];

/** Sends one batch, which is kept whole or not at all; the same `sequence` again never keeps it twice. Throws nothing. */
export async function produce(
  link: BrokerLink,
  partition: number,
  epoch: ProducerEpoch,
  sequence: number,
  messages: readonly ToProduce[],
): Promise<Produced> {
  const { topic } = link;
  let isSent = false;
  try {
    const answer = await link.atLeader<ProduceArguments, boolean | produceV11.ProduceResponse>(
      'Produce',
      partition,
      (api, connection) => {
        const sequences = new NumericMap([[`${topic}:${partition}`, sequence]]);
        isSent = true;
        const records = messages.map(({ key, value }): MessageRecord => ({ topic, partition, key, value }));
        return api.async(connection, ALL_REPLICAS, ACK_TIMEOUT_MS, records, { ...epoch, sequences });
      },
    );
    const offset = typeof answer === 'boolean' ? undefined : answer.responses[0]?.partitionResponses[0]?.baseOffset;
    if (offset === undefined) return { kind: 'unknown', thrown: new Error('the broker did not say where it kept it') };
    return { kind: 'kept', offset: Number(offset) };
  } catch (thrown) {
    const { ids } = kafkaFault(thrown);
    if (ids.some((id) => FENCED.includes(id))) return { kind: 'fenced' };
    if (ids.some((id) => LOST.includes(id))) return { kind: 'lost', thrown };
    const isRefused = !isSent || thrown instanceof NoLeader || (ids.length > 0 && !ids.some((id) => OPEN.includes(id)));
    return { kind: isRefused ? 'refused' : 'unknown', thrown };
  }
}

/** The next epoch of a transactional id. Throws what the client does; tried again, it may be one later. */
export async function nextEpoch(link: BrokerLink, transactionalId: string): Promise<ProducerEpoch> {
  const { producerId, producerEpoch } = await link.atCoordinator<[string, number], ProducerEpoch>(
    'InitProducerId',
    transactionalId,
    (api, connection) => api.async(connection, transactionalId, EPOCH_TIMEOUT_MS),
  );
  return { producerId, producerEpoch };
}
