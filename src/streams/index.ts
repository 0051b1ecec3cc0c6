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
export { type Decode, Undecodable } from './decode/decoder.ts';
export { type DecoderPlace, openDecoder } from './decode/open-decoder.ts';
export { openSchemaRegistry, type SchemaRegistry } from './decode/schema-registry.ts';
