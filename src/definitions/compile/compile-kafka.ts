// What a Kafka source says of its messages: topic, format, schema, dead letters. Which of them need each other.

import type { AuthoredSource } from '../authoring/authored.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

const FORMATS = ['json', 'avro', 'protobuf'];
const TIME_UNITS = ['s', 'ms', 'us'];
/** As Kafka itself has it. */
const TOPIC = /^[A-Za-z0-9._-]{1,249}$/;

/** `location` is what was written; each member that is there is text. */
export function compileKafka(
  source: AuthoredSource,
  location: Readonly<Record<string, string>>,
  mistakes: Mistakes,
): Readonly<Record<string, string>> {
  const { brokers, topic, format, schema, message, registry, deadLetter, timeUnit } = location;
  const add = (sentence: string, member?: string): void =>
    mistakes.add(source, sentence, member === undefined ? [1] : [1, member]);
  if (brokers === undefined) add("it needs `brokers`: the variable that holds the brokers' addresses, as 'env:NAME'");
  if (topic === undefined) add('it needs `topic`: the name of the Kafka topic');
  else if (!isTopic(topic)) add(`topic ${showName(topic)} is no topic's name: ${TOPIC_RULE}`, 'topic');
  if (!FORMATS.includes(format ?? ''))
    add(
      `format must be 'json', 'avro' or 'protobuf', got ${format === undefined ? 'nothing' : showName(format)}`,
      format === undefined ? undefined : 'format',
    );
  if (timeUnit !== undefined && !TIME_UNITS.includes(timeUnit))
    add(`timeUnit must be 's', 'ms' or 'us', got ${showName(timeUnit)}`, 'timeUnit');
  const isBinary = format === 'avro' || format === 'protobuf';
  if (isBinary && (schema === undefined) === (registry === undefined))
    add("it needs either `schema`, the schema's file, or `registry`, a schema registry, one of them");
  if (format === 'json') {
    if (schema !== undefined) add('`schema` is for Avro and Protobuf: leave it out', 'schema');
    if (registry !== undefined) add('`registry` is for Avro and Protobuf: leave it out', 'registry');
  }
  if (message !== undefined && (format !== 'protobuf' || schema === undefined))
    add('`message` names a message of a Protobuf `schema`: leave it out', 'message');
  if (deadLetter !== undefined) {
    if (deadLetter === topic) add('`deadLetter` must be another topic than its own', 'deadLetter');
    else if (!/^file:./.test(deadLetter) && !isTopic(deadLetter))
      add(`deadLetter ${showName(deadLetter)} must be a topic or file:PATH. Of a topic: ${TOPIC_RULE}`, 'deadLetter');
  }
  return location;
}

const TOPIC_RULE = 'up to 249 letters, digits, dots, underscores and hyphens';

function isTopic(name: string): boolean {
  return TOPIC.test(name) && name !== '.' && name !== '..';
}
