// What the Kafka client throws, sorted: what to try again, and what only a person can mend. The words are the broker's;
// addresses may be shown, users and passwords are in none.

import { messageOf } from '../../core/index.ts';
import { tlsTrouble } from './tls-trouble.ts';

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
  /** `tls`: of certificates, or of who speaks TLS; `away`: it may work when it is tried again. */
  readonly kind: 'tls' | 'refused' | 'topic' | 'away';
  /** For people; with `tls` what is wrong with "them", the brokers, and what to do. */
  readonly reason: string;
  /** Names of the brokers' errors that are in it; none where no broker answered. */
  readonly ids: readonly string[];
}

export function kafkaFault(thrown: unknown): KafkaFault {
  const all = [...within(thrown)];
  const ids = all.flatMap(({ apiId }) => apiId ?? []);
  for (const one of all) {
    const reason = tlsTrouble(one);
    if (reason !== undefined) return { kind: 'tls', reason, ids };
  }
  const refused = REFUSED.find((id) => ids.includes(id));
  // A connection that ends while one signs in may do so because the broker does.
  const login = all.find((one) => one.code === 'PLT_KFK_AUTHENTICATION' && !isCutOff(one.cause));
  if (refused !== undefined || login !== undefined) return { kind: 'refused', reason: refused ?? reasonOf(login), ids };
  if (all.some(({ message }) => message.startsWith('Unknown topic ')) || ids.some(isTopicId))
    return { kind: 'topic', reason: reasonOf(thrown), ids };
  return { kind: 'away', reason: `${reasonOf(thrown)}${hintOf(all)}`, ids };
}

/** Whether only a person can mend it. */
export function isLasting(thrown: unknown): boolean {
  const { kind } = kafkaFault(thrown);
  return kind === 'tls' || kind === 'refused';
}

const isCutOff = (thrown: unknown): boolean =>
  [...within(thrown)].some(({ message }) => message === 'Connection closed');

/** What else it may be, where nothing but its going on for long tells. */
function hintOf(all: readonly ClientError[]): string {
  const variable = 'the variable that holds their addresses';
  if (all.some(({ message }) => message.startsWith('TLS handshake failed.')))
    return `. If it stays so, they speak no TLS there: begin ${variable} with kafka://, or name the port that does`;
  if (all.some(isCutOff))
    return `. If it stays so, they want more there than ${variable} gives: TLS (kafkas://), or a user and password`;
  return '';
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
