export type {
  DeadLetter,
  DeadLetters,
  FetchedPart,
  MessageStream,
  PartitionBounds,
  StreamHeader,
  StreamMessage,
} from './message-stream.ts';
export { type BrokerAddress, parseBrokers } from './kafka/broker-address.ts';
export { type KafkaStreamOptions, openKafkaStream } from './kafka/open-kafka-stream.ts';
