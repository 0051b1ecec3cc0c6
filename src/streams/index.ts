export type {
  DeadLetter,
  DeadLetters,
  FetchedPart,
  MessageStream,
  PartitionBounds,
  StreamHeader,
  StreamMessage,
} from './message-stream.ts';
export { type KafkaStreamOptions, openKafkaStream } from './kafka/open-kafka-stream.ts';
export type { Decode } from './decode/decoder.ts';
export { type DecoderPlace, openDecoder } from './decode/open-decoder.ts';
export { openSchemaRegistry, type SchemaRegistry } from './decode/schema-registry.ts';
export { consume, type ConsumeOptions, type ConsumeProgress, type PartitionProgress } from './consume.ts';
export { openDeadLetterFile } from './dead-letters/dead-letter-file.ts';
export { openDeadLetterTopic } from './kafka/dead-letter-topic.ts';
export { compileKeyless } from './keyless.ts';
export { BATCH_ROWS, type RowRules } from './partition-reader.ts';
export { createStreamMetrics, type StreamMetrics } from './stream-metrics.ts';
export { retrying } from './retrying.ts';
