// What the Kafka client throws, as errors of the catalogue: what to try again, and what only a person can mend. Their words
// are the broker's; addresses are shown, users and passwords are in none.

import { type ErrorCode, HeadraceError, messageOf } from '../../core/index.ts';
import { tlsTrouble } from './tls-trouble.ts';

const REFUSED = [
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
];
const NO_TOPIC = ['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID', 'INVALID_TOPIC_EXCEPTION'];

export interface KafkaPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
}

/** The error of the catalogue that it is. */
export function kafkaError(thrown: unknown, { brokers, topic }: KafkaPlace): HeadraceError {
  if (thrown instanceof HeadraceError) return thrown;
  const at = brokers.join(',');
  const of = (code: ErrorCode, sentence: string): HeadraceError => new HeadraceError(code, sentence, { cause: thrown });
  const all = [...within(thrown)];
  for (const one of all) {
    const trouble = tlsTrouble(one, at);
    if (trouble !== undefined) return of('HR_STREAM_REFUSED', trouble);
  }
  const refused = REFUSED.find((id) => all.some(({ apiId }) => apiId === id));
  // A connection that ends while one signs in may do so because the broker does.
  const login = all.find((one) => one.code === 'PLT_KFK_AUTHENTICATION' && !isCutOff(one.cause));
  if (refused !== undefined || login !== undefined)
    return of(
      'HR_STREAM_REFUSED',
      `the brokers at ${at} refuse us (${refused ?? reasonOf(login)}): check user, password and mechanism, and what that user may do with topic "${topic}"`,
    );
  if (all.some(({ apiId, message }) => NO_TOPIC.includes(apiId ?? '') || message.startsWith('Unknown topic ')))
    return of('HR_STREAM_TOPIC', `the brokers at ${at} have no topic "${topic}"`);
  return of('HR_STREAM_UNAVAILABLE', `the brokers at ${at} do not answer: ${reasonOf(thrown)}${hintOf(all)}`);
}

const isCutOff = (thrown: unknown): boolean =>
  [...within(thrown)].some(({ message }) => message === 'Connection closed');

/** What else it may be, where nothing but its going on for long tells. */
function hintOf(all: readonly ClientError[]): string {
  if (all.some(({ message }) => message.startsWith('TLS handshake failed.')))
    return `. If it stays so, they speak no TLS there: begin the source's variable with kafka://, or name the port that does`;
  if (all.some(isCutOff))
    return `. If it stays so, they want more there than the source's variable gives: TLS (kafkas://), or a user and password`;
  return '';
}

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
