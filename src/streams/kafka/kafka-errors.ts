// What the Kafka client throws, as errors of the catalogue: what to try again, and what only a person can mend.

import { type ErrorCode, HeadraceError } from '../../core/index.ts';
import { kafkaFault } from '../../storage/index.ts';

export interface KafkaPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
}

/** The error of the catalogue that it is. */
export function kafkaError(thrown: unknown, { brokers, topic }: KafkaPlace): HeadraceError {
  if (thrown instanceof HeadraceError) return thrown;
  const at = brokers.join(',');
  const of = (code: ErrorCode, sentence: string): HeadraceError => new HeadraceError(code, sentence, { cause: thrown });
  const { kind, reason } = kafkaFault(thrown);
  if (kind === 'tls') return of('HR_STREAM_REFUSED', `the brokers at ${at} cannot be used: ${reason}`);
  if (kind === 'refused')
    return of(
      'HR_STREAM_REFUSED',
      `the brokers at ${at} refuse us (${reason}): check user, password and mechanism, and what that user may do with topic "${topic}"`,
    );
  if (kind === 'topic') return of('HR_STREAM_TOPIC', `the brokers at ${at} have no topic "${topic}"`);
  return of('HR_STREAM_UNAVAILABLE', `the brokers at ${at} do not answer: ${reason}`);
}
