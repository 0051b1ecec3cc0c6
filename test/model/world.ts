// All that a history changes: the store's nodes, processes and their connections, logs, runs' rows, requests and events.
// What is durable outlives a crash; the rest is dropped with its process.

import type { Coverage } from '../../src/online/runs/coverage.ts';
import type { RunState, SnapshotFile } from '../../src/online/runs/run-row.ts';
import { createRandom, type Random } from '../support/chance.ts';
import type { Rule } from './rules.ts';

/** What a process does, one durable step between two yields: anything else may happen there. */
export type Steps<T = void> = Generator<void, T, void>;

export type Key = 'a' | 'b' | 'c';
export type Version = 'v1' | 'v2';
export type Machine = 'A' | 'B';

export const KEYS: readonly Key[] = ['a', 'b', 'c'];
const NODE_COUNT = 2;

/** A read that the oracle denies. */
export class Denied extends Error {}
/** A connection is gone; whether the command was or will be done is unknown. */
export class Lost extends Error {}

/** What a node holds under one name. A fold is the ids of the events it counts: every aggregate is a function of them. */
export type Field =
  | { readonly kind: 'base'; readonly key: Key; readonly version: Version; readonly run: number; readonly ids: Ids }
  | {
      readonly kind: 'part';
      readonly key: Key;
      readonly version: Version;
      readonly writer: number;
      readonly cut: number;
      readonly boundary: number;
      readonly holder: number;
      readonly n: number;
      readonly ids: Ids;
    }
  | { readonly kind: 'mark'; readonly version: Version; readonly run: number }
  | { readonly kind: 'claim'; readonly id: string; readonly place: Place; readonly isDone: boolean };

export type Ids = readonly number[];
export type Base = Extract<Field, { kind: 'base' }>;
export type Part = Extract<Field, { kind: 'part' }>;
export type Claim = Extract<Field, { kind: 'claim' }>;

export interface Place {
  readonly writer: number;
  readonly offset: number;
}

export type Operation<T = unknown> = (node: StoreNode) => T;

export interface StoreNode {
  readonly index: number;
  readonly fields: Map<string, Field>;
  /** Writes that no replica has: what they replaced, the latest last. */
  readonly undo: { readonly name: string; readonly before: Field | undefined }[];
  /** Counts failovers. */
  generation: number;
  /** Commands that were given up by who sent them and may still be done. */
  ghosts: Command[];
}

export interface Command {
  readonly connection: Connection;
  readonly operation: Operation;
}

export type ConnectionName =
  | { readonly kind: 'writer'; readonly process: number }
  | { readonly kind: 'run'; readonly version: Version; readonly run: number };

export interface Connection {
  readonly name: ConnectionName;
  readonly node: StoreNode;
  readonly generation: number;
  isAlive: boolean;
}

interface ProcessState {
  readonly connections: Map<StoreNode, Connection>;
  readonly pending: Set<Command>;
  threads: Steps[];
  isAlive: boolean;
  isPaused: boolean;
}

/** Of a process that has just been started. */
export const begun = (): ProcessState => ({
  connections: new Map(),
  pending: new Set(),
  threads: [],
  isAlive: true,
  isPaused: false,
});

export interface Writer extends ProcessState {
  readonly kind: 'writer';
  readonly name: ConnectionName;
  readonly machine: Machine;
  /** Undefined until it has registered and opened its first cut. */
  log: Log | undefined;
  /** Offsets of own entries that hold their claim, need none, or are void. */
  readonly settled: Set<number>;
  /** Offsets of own entries that are folded and answered. */
  readonly done: Set<number>;
  /** Dead writers' logs that it settled. */
  readonly held: Log[];
  /** Those of which all parts were written: their claims may be marked done. */
  readonly written: Set<Log>;
  /** Nodes that it takes to be connected. */
  readonly up: Set<StoreNode>;
  isCutting: boolean;
}

export interface Run extends ProcessState {
  readonly kind: 'run';
  name: ConnectionName;
}

export type Process = Writer | Run;

export interface Request {
  readonly rows: readonly Event[];
  /** Idempotency-Key. */
  readonly key: string | undefined;
  tries: number;
  /** Writers that are at it. */
  readonly at: Writer[];
  /** Its key's claim has expired: the client repeats it no more. */
  isClosed: boolean;
  isAcknowledged: boolean;
}

export interface Entry {
  readonly offset: number;
  readonly cut: number;
  readonly rows: readonly Event[];
  readonly key: string | undefined;
}

/** A writer's log with what the registry says of it. */
export interface Log {
  readonly number: number;
  readonly process: Writer;
  readonly machine: Machine;
  /** Who holds the lock, which dies with it. */
  lock: Writer | undefined;
  holder: number;
  /** Of the last part written under this holder number. */
  n: number;
  readonly entries: Entry[];
  /** Cut → version → boundaries, as the cut's mark holds them. */
  readonly views: Map<number, CutView>;
  readonly voids: Set<number>;
  /** Cut → void entries. */
  readonly sealed: Map<number, ReadonlySet<number>>;
  cut: number;
  shipped: number;
  hasEnded: boolean;
  /** Its machine is gone for good. */
  isLost: boolean;
  isForgotten: boolean;
  /** The oracle's: the generation of each node at which it was last written there whole. */
  readonly refoldedAt: Map<StoreNode, number>;
}

export type CutView = ReadonlyMap<Version, readonly number[]>;

export interface Row {
  readonly number: number;
  readonly version: Version;
  owner: Run;
  state: RunState;
  /** Event ids in the files, and the files: one an event. */
  readonly files: ReadonlySet<number>;
  readonly snapshot: readonly SnapshotFile[];
  readonly proposed: number;
  boundary: number | null;
  coverage: Coverage | null;
  isFull: boolean;
  since: number;
  keys: ReadonlySet<Key>;
  /** Only in the run's memory, where rule row-first is left out. */
  isUnwritten: boolean;
  /** The oracle's: the generation of each node when it was marked. */
  readonly markedAt: Map<StoreNode, number>;
  isForgotten: boolean;
}

export interface Event {
  readonly id: number;
  readonly key: Key;
  readonly time: number;
  isSent: boolean;
  /** Entries that hold it. */
  readonly places: { readonly log: Log; readonly entry: Entry }[];
  isAcknowledged: boolean;
  /** Versions in which a read counted it. */
  readonly seenIn: Set<Version>;
}

export interface World {
  readonly random: Random;
  readonly without: ReadonlySet<Rule>;
  readonly mode: 'keep' | 'until-materialized';
  readonly nodes: readonly StoreNode[];
  readonly processes: Process[];
  readonly connections: Connection[];
  readonly logs: Log[];
  readonly rows: Row[];
  readonly requests: Request[];
  readonly events: Event[];
  readonly versions: Version[];
  /** Versions that readers read. */
  readonly complete: Set<Version>;
  /** Version → writer → its first cut that folds into the version. */
  readonly firstCuts: Record<Version, Map<number, number>>;
  /** Run → writers that answered it. */
  readonly answers: Map<number, Set<number>>;
  /** Event ids in the source's files. */
  files: Set<number>;
  /** Those that left last. */
  filesGone: readonly number[];
  /** Up to which event time the files reach, and have ever reached. */
  filesEnd: number;
  filesEndMost: number;
  lastTime: number;
  readonly slots: Writer[];
  readonly failsOver: boolean;
  readonly losesMachine: boolean;
  readonly crashiness: number;
  /** The share of runs that are told to write every key. */
  readonly fullness: number;
  lostMachine: Machine | undefined;
  /** All are back and have written what failed over: nothing is excused by what somebody has yet to do. */
  isAtRest: boolean;
  /** Something that a read shows may have changed since the last check. */
  hasChanged: boolean;
  readonly counts: Map<string, number>;
}

export function createWorld(seed: number, without: readonly Rule[]): World {
  const random = createRandom(seed);
  return {
    random,
    without: new Set(without),
    mode: random.pick(['keep', 'until-materialized'] as const),
    nodes: Array.from({ length: NODE_COUNT }, (_, index) => {
      return { index, fields: new Map<string, Field>(), undo: [], generation: 0, ghosts: [] };
    }),
    processes: [],
    connections: [],
    logs: [],
    rows: [],
    requests: [],
    events: [],
    versions: ['v1'],
    complete: new Set<Version>(['v1']),
    firstCuts: { v1: new Map(), v2: new Map() },
    answers: new Map(),
    files: new Set(),
    filesGone: [],
    filesEnd: 0,
    filesEndMost: 0,
    lastTime: 0,
    slots: [],
    failsOver: random.chance(0.5),
    losesMachine: random.chance(0.5),
    crashiness: random.pick([0.02, 0.1]),
    fullness: random.pick([0.1, 0.35]),
    lostMachine: undefined,
    isAtRest: false,
    hasChanged: false,
    counts: new Map(),
  };
}

/** One step that now and then takes long enough for much else to happen. */
export function* hesitate(world: World, lengths: readonly number[] = [1, 1, 1, 30]): Steps {
  for (let left = world.isAtRest ? 1 : world.random.pick(lengths); left > 0; left--) yield;
}

/** Whether the protocol is played with this rule. */
export function keeps(world: World, rule: Rule): boolean {
  return !world.without.has(rule);
}

export function count(world: World, what: string): void {
  world.counts.set(what, (world.counts.get(what) ?? 0) + 1);
}

export function nodeOf(world: World, key: Key): StoreNode {
  return nodeAt(world, KEYS.indexOf(key) % NODE_COUNT);
}

/** Where claims lie. */
export function claimsNode(world: World): StoreNode {
  return nodeAt(world, 0);
}

function nodeAt(world: World, index: number): StoreNode {
  const node = world.nodes[index];
  if (node === undefined) throw new Error(`no node ${index}`);
  return node;
}

/** Writers and events are numbered from 1, in order. */
export function logOf(world: World, writer: number): Log {
  const log = world.logs[writer - 1];
  if (log === undefined) throw new Error(`no writer ${writer}`);
  return log;
}

export function eventOf(world: World, id: number): Event {
  const event = world.events[id - 1];
  if (event === undefined) throw new Error(`no event ${id}`);
  return event;
}

export function hasAnswered(world: World, run: number, log: Log): boolean {
  return world.answers.get(run)?.has(log.number) ?? false;
}
