// A topic as one member of a consumer group reads it. Places are the topic's own offsets; where to read on from is the
// caller's to know, who may read any place again.

export interface StreamMessage {
  readonly offset: number;
  readonly key: Uint8Array | null;
  /** Null is a message without a value, as compacted topics have them. */
  readonly value: Uint8Array | null;
  readonly headers: readonly StreamHeader[];
  /** By the topic's clock. */
  readonly timestampMs: number;
}

export type StreamHeader = readonly [name: string, value: Uint8Array | null];

/** Which offsets a partition has: from `start` to before `end`. */
export interface PartitionBounds {
  readonly start: number;
  readonly end: number;
}

/** What a fetch got of a partition. */
export interface FetchedPart extends PartitionBounds {
  readonly partition: number;
  /** In order; none of transactions that were given up, or are not decided. */
  readonly messages: readonly StreamMessage[];
  /** Where to read on: past the last message, and past what is none. */
  readonly next: number;
}

/**
 * Implemented by `kafka/`; passes test/contract/message-stream.test.ts.
 * Errors: HR_STREAM_UNAVAILABLE (try again), HR_STREAM_REFUSED, HR_STREAM_TOPIC.
 */
export interface MessageStream {
  /** Tells this topic from another of its name, made after it was deleted: the same to every reader. */
  readonly topicId: string;
  /** Partitions that are this member's now; undefined while it joins the group. Others may still be at work on them. */
  assigned(): readonly number[] | undefined;
  /** Resolves with them once they are others than `known`, or at the next try that fails, which throws. */
  reassigned(known: readonly number[] | undefined): Promise<readonly number[]>;
  /** Reads on from a place in each partition; waits for a message, but not for long. HR_STREAM_GAP where one has no such place. */
  fetch(from: ReadonlyMap<number, number>): Promise<readonly FetchedPart[]>;
  bounds(partitions: readonly number[]): Promise<ReadonlyMap<number, PartitionBounds>>;
  /** Tells the group, for people and their tools: nothing is read by it. Never throws. */
  commit(places: ReadonlyMap<number, number>): Promise<void>;
  /** Leaves the group; what is under way ends. */
  close(): Promise<void>;
}

/** A message that is no row of its source, with why. */
export interface DeadLetter {
  readonly partition: number;
  readonly message: StreamMessage;
  readonly reason: string;
}

/** Where such messages are kept: as they came, with the reason. */
export interface DeadLetters {
  /** As it is named to people. */
  readonly name: string;
  /** Resolves once they are durable. Throws HR_DEAD_LETTERS, HR_STREAM_REFUSED; some may be kept by then, and twice in the end. */
  put(letters: readonly DeadLetter[]): Promise<void>;
  close(): Promise<void>;
}
