// What a history is made of, for those that change it and those that look at it.

import type { Ingestion } from '../../src/ingestion/index.ts';
import { createFeatureReader, type FeatureReader } from '../../src/online/index.ts';
import type { Random } from '../support/chance.ts';
import { APPLIED, type Applied, NOW } from './definitions.ts';
import { type Event, Facts } from './facts.ts';
import { FakeLogs, type LogRules } from './fake-log.ts';
import type { FakeRegistry, RunTables } from './fake-registry.ts';
import { type FakeNode, FakeStore, type StoreRules } from './fake-store.ts';
import { type Owner, Steps } from './steps.ts';

export type ModelRules = StoreRules & LogRules;

/** A read that the oracle denies. */
export class Wrong extends Error {}

export interface Server extends Owner {
  readonly machine: string;
  readonly ingestion: Ingestion;
  /** What it knows of what is applied. */
  applied: Applied;
  /** How far its clock is ahead. */
  aheadMicros: number;
}

export interface Runner extends Owner {
  /** How it ended. */
  state: string | undefined;
}

/** A run whose row was opened, as the oracle knows it. */
export interface OpenedRun {
  readonly number: number;
  readonly version: string;
  readonly boundary: number;
  readonly files: ReadonlySet<Event>;
  isFinished: boolean;
}

/** What there is to one version of the view. */
export interface ReadVersion {
  readonly version: string;
  readonly reader: FeatureReader;
  /** In the order of their opening. */
  readonly opened: OpenedRun[];
}

export interface World {
  readonly counts: Map<string, number>;
  readonly random: Random;
  readonly steps: Steps;
  readonly registry: FakeRegistry;
  readonly store: FakeStore;
  readonly logs: FakeLogs;
  readonly facts: Facts;
  readonly servers: Server[];
  readonly runners: Runner[];
  /** What the registry says is applied. */
  applied: Applied;
  /** Versions that readers read. */
  readonly versions: Map<string, ReadVersion>;
  /** Those that are complete. */
  readonly complete: Set<string>;
  readonly traits: Traits;
  /** Nodes that failed over, so that some writer may have to write again what they lost. */
  readonly lacking: Set<FakeNode>;
  hasFailedOver: boolean;
  lostMachine: string | undefined;
  /** What the registry had at some time, to go back to. */
  backup: Backup | undefined;
  /** Versions whose last runs the registry has lost, until another one finishes. */
  readonly forgotten: Set<string>;
  /** Nothing more goes wrong: runs wait for all writers. */
  isAtRest: boolean;
  /** Of the history itself. */
  failure: unknown;
}

export interface Backup {
  readonly runs: RunTables;
  readonly writers: ReadonlySet<number>;
}

/** How much of what happens in a history. */
export interface Traits {
  /** Not where the registry goes back: what the one forgets is told by the other. */
  readonly failsOver: boolean;
  readonly losesMachine: boolean;
  readonly hasWrongClocks: boolean;
  readonly goesBack: boolean;
  readonly crashiness: number;
  /** The share of steps that take long. */
  readonly slowness: number;
  /** Of parts past which a writer cuts. */
  readonly memoryBytes: number;
}

const READER: Owner = { isAlive: true };

export function createWorld(random: Random, rules: ModelRules, registry: FakeRegistry): World {
  const steps = new Steps(random);
  const goesBack = random.chance(0.2);
  const mode = random.pick(['keep', 'until-materialized'] as const);
  const [applied, after] = APPLIED[mode];
  const store = new FakeStore(steps, random, rules, random.pick([1, 2]), NOW);
  const readers = [...applied.versions, ...after.versions].map(({ codec, definitions, service }) => {
    const reader = createFeatureReader(definitions.manifest, service, store.of(READER), registry.directory);
    const read: ReadVersion = { version: codec.version, reader, opened: [] };
    return [codec.version, read] as const;
  });
  return {
    counts: new Map(),
    random,
    steps,
    registry,
    store,
    logs: new FakeLogs(steps, rules),
    facts: new Facts(random, mode),
    servers: [],
    runners: [],
    applied,
    versions: new Map(readers),
    complete: new Set(applied.versions.map(({ codec }) => codec.version)),
    traits: {
      failsOver: !goesBack && random.chance(0.75),
      losesMachine: random.chance(0.3),
      hasWrongClocks: random.chance(0.3),
      goesBack,
      slowness: random.pick([0, 0.02, 0.06]),
      crashiness: random.pick([0.02, 0.08]),
      memoryBytes: random.pick([256e6, 1, 1500]),
    },
    lacking: new Set(),
    hasFailedOver: false,
    lostMachine: undefined,
    backup: undefined,
    forgotten: new Set(),
    isAtRest: false,
    failure: undefined,
  };
}

export function count(world: World, what: string): void {
  world.counts.set(what, (world.counts.get(what) ?? 0) + 1);
}

export function alive(world: World): readonly Server[] {
  return world.servers.filter(({ isAlive }) => isAlive);
}
