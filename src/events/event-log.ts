// The event log port: where pushed events are durable before anything else knows them. A writer appends entries, ends a
// cut by opening the next, seals it once all of its entries are decided, and ships it to where every machine can read.

import type { Micros, Row } from '../core/index.ts';
import type { SourceSpec } from '../definitions/index.ts';

/** One pushed row as the log keeps it: the source's declared columns; derived ones are computed by whoever reads. */
export interface PushedRow {
  readonly row: Row;
  /** When it arrived; in logs of before, its own known time where it had one. */
  readonly knownMicros: Micros;
  /** As it is read back: columns whose value the type of now cannot say, so that it, or an item of it, is null. */
  readonly lost?: readonly string[];
}

/** One push, in the log whole or not at all. */
export interface NewEntry {
  readonly source: SourceSpec;
  readonly rows: readonly PushedRow[];
  readonly key?: IdempotencyKey;
  /** Its rows were set apart and are pushed again: none was known before it arrived, whatever time it states. */
  readonly isPutBack?: true;
}

/** The Idempotency-Key of a push, and the hash of its rows: the same key with other rows is a mistake. */
export interface IdempotencyKey {
  readonly key: string;
  readonly hash: string;
}

/**
 * Where an entry lies; it never changes. Offsets count rows over the writer's whole life: row i of an entry is at
 * `offset + i`. (writer, offset) is the created order of a pushed row that names none.
 */
export interface EntryPlace {
  readonly writer: number;
  readonly cut: number;
  readonly offset: number;
}

/** An entry as it is read back. */
export interface LogEntry extends EntryPlace {
  readonly source: string;
  readonly count: number;
  readonly key?: IdempotencyKey;
  /** As in NewEntry. */
  readonly isPutBack?: true;
  /** The number that its writer had when it claimed the key, where its log has another by now. */
  readonly claimedBy?: number;
  /**
   * Decodes the rows by column name: a column added since is null; of one that has another type by now a value is converted
   * where it says the same in that type, and is null elsewhere, which the row's `lost` tells.
   */
  rows(source: SourceSpec): readonly PushedRow[];
}

/**
 * What a cut's mark holds: the boundaries in force when it was opened, ascending, by view version (−Infinity where the
 * log counts from the beginning). A version that is not listed takes no part of this cut.
 */
export type CutView = ReadonlyMap<string, readonly Micros[]>;

/** One cut as it lies in a log. */
export interface CutRecord {
  readonly cut: number;
  readonly view: CutView;
  /** Offsets of the void entries; undefined while the cut is not sealed. */
  readonly voids: ReadonlySet<number> | undefined;
}

/** A writer as the registry has it. */
export interface WriterRow {
  readonly number: number;
  /** Tells two registries' writers apart that share a number. */
  readonly token: string;
  /** Where it ran, for people: says nothing about whether it lives. */
  readonly machine: string;
  /** 1 for the process that registered, raised by each that settles it. */
  readonly holder: number;
  /** `ended`: sealed and shipped whole; `forgotten`: its machine will not return and nothing waits for it. */
  readonly state: 'open' | 'ended' | 'forgotten';
  /** The cut that is open (the last of an ended writer). */
  readonly cut: number;
  /** The last cut that every machine can read; 0 for none. */
  readonly shipped: number;
  /** Cuts up to it were removed for good, and count nowhere any more; 0 for none. */
  readonly removed: number;
  /** The offset that its log had come to when it last reported; 0 before it did. */
  readonly logged: number;
  readonly registeredMicros: Micros;
  /** When its holder last reported, by the holder's clock. It changes with each report, so a reader that sees it stand still knows that nobody reports. */
  readonly seenMicros: Micros;
  /** Where its holder's folder lies: device, inode and the machine's boot. Null where that is not known, and in a topic. */
  readonly place: string | null;
}

/** What a shipped cut holds of each source, told without reading it. */
export interface CutContents {
  readonly writer: number;
  readonly cut: number;
  /** Rows by source, those of void entries too; null where a Headrace shipped it that did not keep this. */
  readonly rows: ReadonlyMap<string, number> | null;
  /** When the last of it was shipped, by the clock of whoever did. */
  readonly shippedMicros: Micros;
}

/** The greatest writer number that is known elsewhere, and what to do where the registry has forgotten that. */
export interface SeenWriter {
  readonly number: number;
  /** The number is of another registry's writer: none of this registry's is missing before it. */
  readonly isOfOther?: true;
  /** `last`: the greatest number that the registry knows. */
  onForgotten(last: number): void;
}

export interface AdoptOptions {
  /** Wait for what may be dead. */
  readonly waits?: boolean;
  /** As in `register`: asked where a log gets a new number. */
  seen?(): Promise<SeenWriter | undefined>;
}

/** A log that this process holds, its own or a dead process's: nobody else can while the lock is held. */
export interface LogWriter {
  readonly writer: number;
  /** Tells it apart from another that was given the same number. */
  readonly token: string;
  readonly holder: number;
  /** The number that the log had before, where another writer has that: its parts in the online store are of that number. */
  readonly formerly?: number | undefined;
  /** The open cut; 0 before the first. */
  readonly cut: number;
  /**
   * Resolves once durable, in the cut that was open at the call. Throws HR_STORAGE_FULL: then nothing is kept, of what was
   * called meanwhile neither (a cut whose mark failed is not open); HR_STORAGE_UNAVAILABLE where the disk fails otherwise, or
   * the brokers are away, and the sentence says if that can't be told; HR_CONFLICT once the writer was forgotten, or taken
   * over; HR_TOO_LARGE for what is too large for a topic's message.
   */
  append(entry: NewEntry): Promise<LogEntry>;
  /** Opens the next cut; entries of later calls are in it. Resolves once the mark is on disk, with the cut's number. */
  openCut(view: CutView): Promise<number>;
  /** Ends a cut with the offsets of its void entries; durable. Cuts are sealed in order. */
  seal(cut: number, voids: readonly number[]): Promise<void>;
  /**
   * Makes all sealed cuts readable for every machine and records that; resolves with the last one that is. Throws
   * HR_STORAGE_UNAVAILABLE while the object store is away: nothing is lost, call it again.
   */
  ship(): Promise<number>;
  /** All cuts, oldest first, as they lie on disk. */
  cuts(): Promise<readonly CutRecord[]>;
  /** Entries of cuts from `from` to `to` inclusive, sealed or not, void ones too, in order of offset; none of removed cuts. */
  entries(from: number, to: number): AsyncIterable<LogEntry>;
  /**
   * Tells the registry that the writer lives, and where it stands; call it every few seconds. While the registry is away
   * that is logged and left. Throws HR_CONFLICT (as `openCut` and `ship` do) when the writer was forgotten: nothing can be
   * appended any more.
   */
  touch(): Promise<void>;
  /**
   * Records that the writer has ended: its last cut is sealed and shipped. Keeps the lock, and the folder, so that the
   * log is settled again by another should this process die before `end`.
   */
  finish(): Promise<void>;
  /** Does what `finish` does, then removes the log from this disk and releases the lock: nobody will settle it again. */
  end(): Promise<void>;
  /** Releases the lock and leaves the log as it is, to be settled later. */
  close(): Promise<void>;
}

/**
 * Implemented by `segments/` (on disk, shipped to the object store) and `kafka/` (a partition for each writer); both pass
 * test/contract/event-log.test.ts. Errors: HR_STORAGE_UNAVAILABLE (the registry, the object store or the brokers are away),
 * HR_LOG_DAMAGED (names file and byte, or partition and offset).
 */
export interface EventLog {
  /**
   * Registers this process as a new writer and takes its lock. Its number is greater than each number in the registry, and
   * greater than `seen.number`, which the online store keeps.
   */
  register(seen?: SeenWriter): Promise<LogWriter>;
  /**
   * Adds a row for each writer up to `seen.number` that the registry lost with its last commits. It stands for the writer, open
   * and without a shipped cut, until that adds its own row again or is forgotten.
   */
  noteLost(seen: SeenWriter): Promise<void>;
  /**
   * Takes over the logs of dead writers, each with its holder number raised; those alive are left. On disk those of this
   * machine, in a topic those of any. A folder on disk that is not where its holder registered it (a copy of it, another
   * machine, a restart of this one) is taken over once this process has seen for `leaseMs` that nobody reports for its
   * writer: `waits` has this call wait for that where the writer was silent before. A log on disk whose number another writer has,
   * because the registry lost its row and gave the number again, gets a new number.
   */
  adopt(how?: AdoptOptions): Promise<LogWriter[]>;
  /**
   * Gives a new number to a log that its holder has closed, because another writer has its number: then `adopt` gives it. False
   * where that can't be done: cuts of it were shipped under its number, it is held by another, or it lies in a topic.
   */
  renumber(log: Pick<LogWriter, 'writer' | 'token' | 'holder'>, seen?: SeenWriter): Promise<boolean>;
  /** Whether `adopt` and `renumber` give logs new numbers; where not, entries are to be moved to another log. */
  readonly renumbers: boolean;
  /** Every writer that the registry knows, by number. */
  writers(): Promise<readonly WriterRow[]>;
  /**
   * Entries of shipped cuts from `from` to `to` inclusive, without the void ones and those of removed cuts, in order of
   * offset. With `source` that one's alone: what holds none of it isn't fetched.
   */
  read(writer: number, from: number, to: number, source?: string): AsyncIterable<LogEntry>;
  /**
   * By open writer, how many rows it has logged, as it last reported, that no machine can read yet: those of cuts that are not
   * shipped. Rows of void entries are among them, and rows logged since that report are not.
   */
  waiting(): Promise<ReadonlyMap<number, number>>;
  /** Every shipped cut that holds an entry and was not removed, by writer and cut. */
  contents(): Promise<readonly CutContents[]>;
  /**
   * For a machine that will not return: nothing waits for the writer any more; one that has ended stays so. Throws
   * HR_UNKNOWN_WRITER, and HR_CONFLICT for one that a process of this machine holds.
   */
  forget(writer: number): Promise<void>;
  /**
   * For retention: by writer, removes shipped cuts up to that one. From then on no machine reads them; their segments go
   * as soon as they hold no other cut, those that an earlier call left behind too.
   */
  remove(through: ReadonlyMap<number, number>): Promise<void>;
  /** Releases every lock, that of a log which is just being adopted too: then `register` and `adopt` throw HR_STOPPING. */
  close(): Promise<void>;
}
