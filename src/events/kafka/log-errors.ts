// What goes wrong with a log in a topic, as errors of the catalogue. Users and passwords are in none.

import { HeadraceError } from '../../core/index.ts';
import { kafkaFault } from '../../storage/index.ts';
import { givingUp } from '../giving-up.ts';

export interface TopicPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
}

/** `more` ends the sentence. */
export function topicUnavailable(thrown: unknown, place: TopicPlace, more = ''): HeadraceError {
  if (thrown instanceof HeadraceError) return thrown;
  const { kind, reason } = kafkaFault(thrown);
  const [at, topic] = [place.brokers.join(','), `topic "${place.topic}"`];
  const what = {
    tls: `the brokers at ${at} cannot be used for ${topic} (pushLog.topic): ${reason}`,
    refused: `the brokers at ${at} refuse us (${reason}): check user, password and mechanism, and what that user may do with ${topic} (pushLog.topic)`,
    topic: `the brokers at ${at} have no ${topic}, where the event log lies (pushLog.topic)`,
    away: `the brokers at ${at} do not answer for ${topic}, where the event log lies: ${reason}`,
  }[kind];
  return new HeadraceError('HR_STORAGE_UNAVAILABLE', `${what}${more}`, { cause: thrown });
}

export interface DamagePlace {
  readonly writer: number;
  readonly topic: string;
  readonly partition: number;
  /** Of what is shipped: the last cut that it holds. */
  readonly shippedCut?: number | undefined;
}

/** What was acknowledged is never guessed at, nor skipped. */
export function partitionDamaged(place: DamagePlace, offset: number, what: string): HeadraceError {
  const { writer, topic, partition, shippedCut } = place;
  const clause = givingUp(writer, shippedCut);
  return new HeadraceError(
    'HR_LOG_DAMAGED',
    `the event log of writer ${writer} is damaged: topic "${topic}", partition ${partition}, offset ${offset}: ${what}. ` +
      `Nothing was changed or skipped. ${clause[0]?.toUpperCase()}${clause.slice(1)}`,
  );
}
