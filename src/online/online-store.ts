// The online store port: where a key's record of a view version lies, for reading at request time. It looks at nothing
// inside the bytes: which parts a base counts is the reader's to say (records/), by the registry's rows (runs/).

import { type EncodedKey, type Micros, MICROS_PER_DAY } from '../core/index.ts';

/** `view@hash`: a view and the hash of what gives its stored values meaning. */
export type VersionId = string;

/** One entity key's record of one view version. */
export interface RecordRef {
  readonly entity: string;
  readonly key: EncodedKey;
  readonly version: VersionId;
}

/** Which part of a record: what one writer folded of one cut's events past one boundary. */
export interface PartId {
  readonly writer: number;
  readonly cut: number;
  /** Event time after which its events lie; −Infinity: from the beginning. */
  readonly boundary: Micros;
}

export interface StoredPart extends PartId {
  readonly fold: Uint8Array;
}

/** `base` is what a run wrote; `parts` is what was pushed beside it, in order of (writer, cut, boundary). */
export interface StoredRecord {
  readonly base: Uint8Array | undefined;
  readonly parts: readonly StoredPart[];
}

/** What is read of each row's key at one place. */
export type WantedVersion = Pick<RecordRef, 'entity' | 'version'>;

/** Hears of each record that rows have, once, in no set order. */
export interface RecordTaker {
  /** A base without parts: in `memory` from `from` up to `to`, where it stays as it is for as long as that is held. */
  base(row: number, place: number, memory: Uint8Array, from: number, to: number): void;
  /** Any other. */
  record(row: number, place: number, record: StoredRecord): void;
}

/** A part as its one writer writes it: whole, under a rising number; the store keeps the
 * greater (holder, n), and of one holder that of the log which was there first.
 */
export interface PartWrite extends RecordRef, StoredPart {
  readonly holder: number;
  /** By `part-number.ts`. */
  readonly n: number;
  /** How much longer than its entity's records it lives: until the last of its events that are not known yet is. */
  readonly waitsMs?: number | undefined;
}

/** A base as a run writes it, blind; `counted` are parts that it counts, deleted after it. */
export interface BaseWrite {
  readonly entity: string;
  readonly key: EncodedKey;
  readonly base: Uint8Array;
  readonly counted?: readonly PartId[];
  /** How much longer than its entity's records it lives: it carries a fact that is known only then. */
  readonly waitsMs?: number;
}

/** An Idempotency-Key of a source as the store keeps it: the entry that holds it, and what came of it. */
export interface Claim {
  /** Hash of source and key. */
  readonly id: string;
  readonly writer: number;
  readonly offset: number;
  /** Of the entry's rows. */
  readonly payloadHash: string;
  /** The push's answer, once all of it is visible. */
  readonly result?: string;
}

/** An id and the entry that holds it, or may hold it. */
export type ClaimPlace = Pick<Claim, 'id' | 'writer' | 'offset'>;

/** What an acknowledged write survives, as the store confirmed it. */
export interface Durable {
  /** A power cut of the store's machine: its disk has the write. */
  readonly disk: boolean;
  /** How many of its node's replicas have it: a failover to any of them keeps it. */
  readonly replicas: number;
}

/** Hears, by the index of what was asked for, what each claim survives. */
export type OnDurable = (index: number, durable: Durable) => void;

/** Records live so much longer than anything in them can be seen, so that a slow clock never loses a value. */
export const LIFETIME_SLACK_MICROS: Micros = 2 * MICROS_PER_DAY;

/** How long records of an entity live after a write, at least; undefined is for ever. A later write never brings an end nearer. */
export type LifetimeOf = (entity: string) => number | undefined;

/** Who writes, as each node keeps it; left out by those that write under no registry. */
export interface WriterOwner {
  /** The registry that gave the writer its number. */
  readonly registry: string;
  /** The writer's own, which tells it apart from another that was given the same number. */
  readonly token: string;
}

/** What a store keeps of the registry that writes to it. Each node has it, and may lose it: the others' count then. */
export interface StoreNotes {
  /** Of the registries that filled it; several where its nodes come from several stores. */
  readonly registries: readonly string[];
  /** The greatest writer number that it has seen, and the greatest run number; 0 for none. */
  readonly writer: number;
  readonly run: number;
}

/** How one node keeps what it was given, as far as it says so. */
export interface NodeGuard {
  readonly node: string;
  /** Where that is: host and port. */
  readonly place: string;
  /** `eviction`: whether keys stay until they expire; `durability`: whether a keyed push outlives a power cut. */
  readonly guard: 'eviction' | 'durability';
  readonly state: 'kept' | 'lacking' | 'unknown';
  /** What came, and where it is not kept what was expected. */
  readonly says: string;
  /** What to do. */
  readonly fix?: string;
}

export interface WriterLink {
  readonly writer: number;
  readonly holder: number;
  readonly owner?: WriterOwner;
  /** Milliseconds. */
  readonly lifetimeMs: LifetimeOf;
  /**
   * Called with the node's name on every new connection to it, the first too: what the node may have lost since its
   * mark must be written again.
   */
  onNode(node: string): void;
}

/**
 * A writer's own way into the store. A command that fails may still be done later: parts and claims bear that. What is
 * given together fails together; what lies on one node, given by itself, waits for no other.
 */
export interface StoreWriter {
  /**
   * Gives the parts that the store did not take, because one with a greater number or of another log is there, or another writer has this
   * one's number; undefined where it took all. Throws HR_OTHER_REGISTRY where the store is another registry's.
   */
  putParts(parts: readonly PartWrite[]): Promise<readonly PartWrite[] | undefined>;
  /** Removes the parts at these places that the same log wrote, as the low bits of their n say; another writer's stay. */
  withdraw(parts: readonly PartWrite[]): Promise<void>;
  /**
   * First wins: gives, per claim, the one that holds the id from now on. Resolves once the promised replicas and the
   * disk, where the store can say so, have them: no failover can take a claim back. Throws NotDurable when the store goes
   * on without those: then release them.
   */
  claim(claims: readonly Claim[], onDurable?: OnDurable): Promise<readonly Claim[]>;
  /** The claims that hold the ids, as durable as claimed ones; undefined where none does. Claims nothing. */
  claims(ids: readonly string[], onDurable?: OnDurable): Promise<readonly (Claim | undefined)[]>;
  /** These entries hold the claims no longer, nor can they by a claim that comes late; others' stay theirs. */
  release(claims: readonly ClaimPlace[]): Promise<void>;
  /** Keeps the results, where these entries (by writer and offset) hold the claims. */
  finish(claims: readonly Claim[]): Promise<void>;
  /** The claims of a sealed cut may be forgotten after `retentionMs`, where these entries hold them. */
  expire(claims: readonly ClaimPlace[], retentionMs: number): Promise<void>;
  /** Resolves when every node answers on the connection of the last `onNode` call. Throws HR_ONLINE_UNAVAILABLE else. */
  reach(): Promise<void>;
  /** Which node has a record: what `onNode` names. Throws HR_ONLINE_UNAVAILABLE while that is not known. */
  nodeOf(entity: string, key: EncodedKey): string;
  /** Which node has a claim. */
  nodeOfClaim(id: string): string;
  close(): Promise<void>;
}

export interface RunLink {
  readonly version: VersionId;
  /** Whose records the version's are. */
  readonly entity: string;
  readonly run: number;
  /** The registry that gave the run its number; left out by those that write under none. */
  readonly registry?: string;
  readonly lifetimeMs: LifetimeOf;
  /** Asked after a connection got its name and before it writes: whether the run's row is still its own and open. */
  isOpen(): Promise<boolean>;
}

/** A run's own way into the store. A later run of the version fences it: then every call throws HR_MATERIALIZE_BUSY. */
export interface StoreRun {
  readonly nodes: readonly string[];
  nodeOf(entity: string, key: EncodedKey): string;
  /** Starts a node, also again after its connection was lost. */
  begin(node: string): Promise<void>;
  /** Blind. Resolves when more may be given, which is before the store has them; rejects once the node is lost. */
  write(node: string, writes: readonly BaseWrite[]): Promise<void>;
  /**
   * Resolves once all that was written to the node since `begin` is acknowledged, and then its mark: the run's number.
   * Rejects with HR_ONLINE_UNAVAILABLE when the connection was lost since `begin`: begin the node again.
   */
  mark(node: string): Promise<void>;
  /**
   * Removes the node's mark and every record of the version, and of no other; gives how many records. `isOpen` is asked at
   * every step. One that was cut off is done again.
   */
  remove(node: string): Promise<number>;
  close(): Promise<void>;
}

/** What a node has as its mark of a version. */
export interface NodeMark {
  readonly node: string;
  /** The run's number; undefined where there is no mark, or one that does not hold any more. */
  readonly run: number | undefined;
  /**
   * Why there is one that does not hold any more: the node has other slots than it had, it evicted keys since, or its
   * clock was ahead for a while, so that records expired early. Some of what runs wrote is there.
   */
  readonly lost?: 'slots' | 'evicted' | 'expired';
}

/**
 * Implemented by `lmdb/` and `redis/`; both pass test/contract/online-store.test.ts.
 * Errors: HR_ONLINE_UNAVAILABLE when it can't be reached, HR_STORAGE_FULL when it can't grow.
 */
export interface OnlineStore {
  /**
   * Reads in the refs' order; a record with neither base nor parts is undefined. One round trip, an entity key's views
   * in one command; LMDB answers without a promise.
   */
  read(
    refs: readonly RecordRef[],
  ): readonly (StoredRecord | undefined)[] | Promise<readonly (StoredRecord | undefined)[]>;
  /**
   * As `read`, of many rows that want the same: at `keys[row][place]` the key whose record of `wanted[place]` is told to
   * `taker`, where there is one; undefined asks for nothing. No object is made of a base that stands alone. Throws what
   * `taker` throws.
   */
  readRows(
    wanted: readonly WantedVersion[],
    keys: readonly (readonly (EncodedKey | undefined)[])[],
    taker: RecordTaker,
  ): void | Promise<void>;
  /**
   * Every record of a version, in no set order, each at least once: to give each exactly once, a store without an order
   * would have to hold all keys. For a full run's end and tests, never while serving.
   */
  scan(entity: string, version: VersionId): AsyncIterable<{ readonly key: EncodedKey; readonly record: StoredRecord }>;
  /** Every node, or `only` that, with its mark of the version. LMDB is one node. */
  marks(version: VersionId, only?: string): Promise<readonly NodeMark[]>;
  /** What is kept of the registry that writes to it, by those of its nodes that answer. */
  notes(): Promise<StoreNotes>;
  /** How each node keeps what it was given, by those that answer; LMDB, which is one file, has none to be judged. */
  guards(): Promise<readonly NodeGuard[]>;
  /** Makes it the store of another registry, at every node; what its nodes keep of numbers stays. */
  adopt(registry: string): Promise<void>;
  /**
   * From now on it is read for this registry alone: reads throw HR_OTHER_REGISTRY while a node that was connected to is
   * another's. Each new connection is looked at before anything is read from it, by the node's guards too, which are logged
   * where they are other ones than before. Resolves once the nodes that answer now were looked at.
   */
  expectRegistry(registry: string): Promise<void>;
  /** The writer's connections are named by it. */
  writer(link: WriterLink): Promise<StoreWriter>;
  /** Cuts off whatever an earlier holder of the writer left on its way. */
  fenceWriter(writer: number, holder: number): Promise<void>;
  /** Fences earlier runs of the version at every node; then the run's connections are named by it. */
  run(link: RunLink): Promise<StoreRun>;
  /** The store's own clock: of a server the one that its records expire by, of LMDB this machine's, without a promise. */
  nowMicros(): Micros | Promise<Micros>;
  /** Forgets records past their lifetime as of `now`, where the store does not do so by itself; gives how many. */
  removeExpired(now: Micros): Promise<number>;
  close(): Promise<void>;
}
