// What the Kafka client throws, sorted: what to try again, and what only a person can mend. The words are the broker's;
// addresses may be shown, users and passwords are in none.

import { messageOf } from '../../core/index.ts';

const REFUSED = [
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
];
const NO_TOPIC = ['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID', 'INVALID_TOPIC_EXCEPTION'];

export interface KafkaFault {
  /** `away`: it may work when it is tried again. */
  readonly kind: 'refused' | 'topic' | 'away';
  /** For people. */
  readonly reason: string;
  /** Names of the brokers' errors that are in it; none where no broker answered. */
  readonly ids: readonly string[];
}

export function kafkaFault(thrown: unknown): KafkaFault {
  const all = [...within(thrown)];
  const ids = all.flatMap(({ apiId }) => apiId ?? []);
  const refused = REFUSED.find((id) => ids.includes(id));
  if (refused !== undefined || all.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION'))
    return { kind: 'refused', reason: refused ?? 'authentication failed', ids };
  const isTopic = all.some(({ message }) => message.startsWith('Unknown topic ')) || ids.some(isTopicId);
  return { kind: isTopic ? 'topic' : 'away', reason: reasonOf(thrown), ids };
}

const isTopicId = (id: string): boolean => NO_TOPIC.includes(id);

/** What the client's errors have of their own. */
interface ClientError extends Error {
  readonly code?: string;
  /** The name of a broker's error. */
  readonly apiId?: string;
}

/** An error, those that it joins and those that it was caused by. */
function* within(thrown: unknown): Generator<ClientError> {
  if (!(thrown instanceof Error)) return;
  yield thrown;
  yield* within(thrown.cause);
  if (thrown instanceof AggregateError) for (const one of thrown.errors) yield* within(one);
}

// Several tries that failed are told by the last, and that by what was under it.
function reasonOf(thrown: unknown): string {
  let deepest = thrown;
  for (let depth = 0; depth < 8; depth++) {
    if (deepest instanceof AggregateError && deepest.errors.length > 0) deepest = deepest.errors.at(-1);
    else if (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause;
    else break;
  }
  return messageOf(deepest);
}
