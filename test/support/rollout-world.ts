// A world for rollouts on a real registry: servers that tell of themselves, units that send requests, minutes that add up, all by
// a clock that is moved by hand. Only the requests are made up.

import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { tellAlerts } from '../../src/app/tell-alerts.ts';
import { silentLogger } from '../../src/core/index.ts';
import { type Alerts, openAlerts } from '../../src/monitoring/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import {
  type ArmMinute,
  type Controller,
  createController,
  fnv1a,
  type MaturedOutcomes,
  openRollouts,
  type Operator,
  type RolloutEvidence,
  type Rollouts,
  type ShownRollout,
  type StartRollout,
} from '../../src/rollouts/index.ts';
import { createHashSample, type HashSample, packHashes } from '../../src/statistics/index.ts';
import { type Database, type LeaseToken, migrateLeases, openDatabase, takeLease } from '../../src/storage/index.ts';
import type { TestDatabases } from './databases.ts';
import { flightsManifest } from './manifests.ts';
import { type DatabaseFaults, withFaults } from './database-faults.ts';
import { artifact, MODEL, NOW } from './registries.ts';

export const SECOND = 1_000_000;
export const ENDPOINT = 'delay';
export const ANN: Operator = { actor: 'ann', isAdmin: true };

/** What requests meet at each arm. */
export interface Rates {
  readonly error?: number;
  readonly slow?: number;
  readonly null?: number;
  /** Of outcomes that are true; left out: none are told. */
  readonly outcome?: number;
}

export interface Sent {
  readonly units: number;
  readonly stable?: Rates;
  readonly candidate?: Rates;
  /** Whose requests reach the candidate: all that are due, unless given. */
  readonly reach?: number;
  /** Units come again: out of so many. */
  readonly population?: number;
}

export interface RolloutWorld {
  readonly database: Database;
  readonly registry: Registry;
  readonly rollouts: Rollouts;
  readonly controller: Controller;
  readonly logged: string[];
  /** What is slow, as servers were told last. */
  readonly slow: Map<string, number>;
  readonly alerts: Alerts;
  /** Microseconds. */
  now(): number;
  held(): LeaseToken;
  /** Another holder takes over; `controller` is then the former one's. */
  takeOver(): Promise<LeaseToken>;
  /** Of a process of its own, which ends where `faults` say. */
  newController(faults?: DatabaseFaults): Promise<Controller>;
  /** Both clocks go on. */
  later(micros: number): void;
  /** The wall clock alone is set. */
  jump(micros: number): void;
  start(input?: Partial<StartRollout>, by?: Operator): Promise<ShownRollout>;
  /** Servers that are there load what is asked for, but those that fail, and answer by what is active. */
  serve(fails?: Readonly<Record<string, string>>): Promise<void>;
  readonly servers: Set<string>;
  /** Whose minutes come no more. */
  readonly late: Set<string>;
  send(sent: Sent): Promise<void>;
  openBreaker(): Promise<void>;
  /** So many outcomes that name a unit and a time. */
  tellOfUnits(count: number): void;
  matured: MaturedOutcomes[];
  look(held?: LeaseToken, controller?: Controller): Promise<void>;
  /** So many seconds: servers, requests, a look in each; ends early where `until` holds. */
  run(seconds: number, sent?: Sent, until?: (shown: ShownRollout) => boolean): Promise<ShownRollout>;
  shown(): Promise<ShownRollout>;
  weights(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

interface Cell {
  readonly row: Omit<
    ArmMinute,
    'rows' | 'breakerOpens' | 'units' | 'errorUnits' | 'slowUnits' | 'nullUnits' | 'outcomes'
  >;
  rows: number;
  opens: number;
  readonly units: HashSample;
  readonly error: HashSample;
  readonly slow: HashSample;
  readonly null: HashSample;
  readonly event: HashSample;
  readonly n: number[];
  readonly sum: number[];
}

/** In a describe block: `take` gets a world on a database of its own before each test. */
export function inRolloutWorlds(databases: TestDatabases, take: (world: RolloutWorld) => void): void {
  let world: RolloutWorld | undefined;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => take((world = await openRolloutWorld(await databases.newUrl()))));
  afterEach(() => world?.close());
}

export async function openRolloutWorld(url: string): Promise<RolloutWorld> {
  const database = await openDatabase(url);
  await migrateLeases(database);
  let nowMicros = NOW;
  let steadyMs = 0;
  const clock = { nowMicros: () => nowMicros };
  const registry = await openRegistry(database, clock);
  await registry.definitions.apply(flightsManifest, { actor: 'ann' });
  for (const digit of ['1', '2', '3']) {
    await registry.models.register({
      model: MODEL,
      artifact: artifact(digit),
      signature: { inputs: [] },
      actor: 'ann',
    });
  }
  let ids = 0;
  const rollouts = await openRollouts({ database, registry, clock, newId: () => `r${++ids}` });
  const cells = new Map<string, Cell>();
  const late = new Set<string>();
  const servers = new Set(['a', 'b']);
  const logged: string[] = [];
  const slow = new Map<string, number>();
  const alerts = await openAlerts(database, { clock, logger: silentLogger, hasReceiver: true });
  const random = seeded(7);
  let held: LeaseToken | undefined;
  let holders = 0;
  let serial = 0;

  const evidence: RolloutEvidence = {
    minutes: ({ revisions, fromMicros, toMicros = Infinity }) =>
      Promise.resolve(
        [...cells.values()]
          .filter(({ row }) => revisions.includes(row.revision))
          .filter(({ row }) => row.minute >= fromMicros && row.minute < toMicros)
          .map(packCell),
      ),
    lateServers: () => Promise.resolve([...late].filter((server) => servers.has(server))),
    slowLimit: () => Promise.resolve(50_000),
    async tellSlowLimit(endpoint, micros) {
      if (micros === null) slow.delete(endpoint);
      else slow.set(endpoint, micros);
    },
    matured: () => Promise.resolve(world.matured),
  };
  const newController = async (faults?: DatabaseFaults): Promise<Controller> => {
    const own = faults === undefined ? database : withFaults(database, faults);
    return createController({
      database: own,
      registry: faults === undefined ? registry : await openRegistry(own, clock),
      evidence,
      clock,
      steadyMs: () => steadyMs,
      tell: tellAlerts(
        own === database ? alerts : await openAlerts(own, { clock, logger: silentLogger, hasReceiver: true }),
      ),
      logger: { ...silentLogger, error: (fields: object) => void logged.push(JSON.stringify(fields)) },
    });
  };
  const takeOver = async (): Promise<LeaseToken> => {
    const name = 'job rollouts';
    const holder = `holder ${++holders}`;
    const lease = await takeLease(database, { name, holder, ttlMs: 0 });
    if (lease === undefined) throw new Error('the lease was not given');
    return lease;
  };
  const cellOf = (variant: string, version: number, revision: number, kind = 'arm'): Cell => {
    const minute = nowMicros - (nowMicros % (60 * SECOND));
    const writer = 'a';
    const key = [kind, variant, version, revision, minute].join();
    const cell = cells.get(key) ?? {
      row: { kind, variant, version, revision, minute, writer },
      rows: 0,
      opens: 0,
      units: createHashSample(),
      error: createHashSample(),
      slow: createHashSample(),
      null: createHashSample(),
      event: createHashSample(),
      n: Array.from({ length: 64 }, () => 0),
      sum: Array.from({ length: 64 }, () => 0),
    };
    cells.set(key, cell);
    return cell;
  };

  const world: RolloutWorld = {
    database,
    registry,
    rollouts,
    controller: await newController(),
    logged,
    slow,
    alerts,
    servers,
    late,
    matured: [],
    now: () => nowMicros,
    held() {
      if (held === undefined) throw new Error('take over first');
      return held;
    },
    takeOver,
    newController,
    later(micros) {
      nowMicros += micros;
      steadyMs += micros / 1000;
    },
    jump(micros) {
      nowMicros += micros;
    },
    start: (input = {}, by = ANN) => rollouts.start({ ...QUICK, endpoint: ENDPOINT, candidate: 2, ...input }, by),
    async serve(fails = {}) {
      const { revision, change } = await registry.endpoints.get(ENDPOINT);
      for (const id of servers) {
        const prepared =
          change?.state === 'preparing' ? { revision: change.revision, failure: fails[id] ?? null } : undefined;
        await registry.servers.report(id, {
          machine: 'host',
          pid: id.charCodeAt(0),
          startedMicros: 0,
          revision: 1,
          failure: null,
          reads: [],
          folds: [],
          prepared: prepared === undefined ? {} : { [ENDPOINT]: prepared },
          endpoints: { [ENDPOINT]: { state: 'serving', revision, versions: [], reason: null } },
        });
      }
    },
    async send({ units, stable = {}, candidate = {}, reach = 1, population }) {
      const { variants, revision } = await registry.endpoints.get(ENDPOINT);
      for (let i = 0; i < units; i++) {
        const unit = population === undefined ? `u${++serial}` : `u${Math.floor(random() * population)}`;
        const hash = fnv1a(unit);
        const bucket = fnv1a(String(hash)) % 10_000;
        const arm = variants.find(({ ranges }) => ranges.some(([from, to]) => bucket >= from && bucket < to));
        if (arm === undefined) continue;
        const isCandidate = arm.version === 2;
        if (isCandidate && random() >= reach) continue;
        const rates = isCandidate ? candidate : stable;
        const cell = cellOf(arm.name, arm.version, revision);
        cell.rows++;
        cell.units.add(hash);
        if (random() < (rates.error ?? 0)) cell.error.add(hash);
        if (random() < (rates.slow ?? 0)) cell.slow.add(hash);
        if (random() < (rates.null ?? 0)) cell.null.add(hash);
        if (rates.outcome === undefined) continue;
        const told = cellOf('', arm.version, revision, 'outcome');
        const value = random() < rates.outcome ? 1 : 0;
        told.n[hash % 64] = (told.n[hash % 64] ?? 0) + 1;
        told.sum[hash % 64] = (told.sum[hash % 64] ?? 0) + value;
        if (value === 1) told.event.add(hash);
      }
    },
    async openBreaker() {
      const { variants, revision } = await registry.endpoints.get(ENDPOINT);
      const arm = variants.find(({ version }) => version === 2);
      if (arm !== undefined) cellOf(arm.name, arm.version, revision).opens++;
    },
    tellOfUnits(count) {
      const cell = cellOf('', 0, 0, 'outcome');
      cell.n[0] = (cell.n[0] ?? 0) + count;
    },
    async look(by, controller = world.controller) {
      await controller.look(by ?? (held ??= await takeOver()));
    },
    async run(seconds, sent, until) {
      for (let second = 0; second < seconds; second++) {
        await world.serve();
        if (sent !== undefined) await world.send(sent);
        await world.look();
        world.later(SECOND);
        if (until?.(await world.shown()) === true) break;
      }
      return world.shown();
    },
    async shown() {
      const [newest] = await rollouts.list({ limit: 1 });
      if (newest === undefined) throw new Error('there is no rollout');
      return newest;
    },
    async weights() {
      const { variants } = await registry.endpoints.get(ENDPOINT);
      return Object.fromEntries(variants.map(({ name, version, weight }) => [`${name} ${version}`, weight]));
    },
    close: () => database.close(),
  };
  return world;
}

/** Nobody asks anything. */
export const NO_REQUESTS: RolloutEvidence = {
  minutes: () => Promise.resolve([]),
  lateServers: () => Promise.resolve([]),
  slowLimit: () => Promise.resolve(undefined),
  tellSlowLimit: () => Promise.resolve(),
  matured: () => Promise.resolve([]),
};

/** Quick, and with little to wait for. */
const QUICK = {
  steps: [10, 50, 100],
  holdMicros: 10 * SECOND,
  warmupMicros: 0,
  minUnits: 20,
  bakeMicros: 5 * SECOND,
} as const;

function packCell(cell: Cell): ArmMinute {
  return {
    ...cell.row,
    rows: cell.rows,
    breakerOpens: cell.opens,
    units: packHashes(cell.units),
    errorUnits: packHashes(cell.error),
    slowUnits: packHashes(cell.slow),
    nullUnits: packHashes(cell.null),
    outcomes:
      cell.row.kind === 'outcome'
        ? { n: cell.n, sum: cell.sum, squares: cell.sum, eventUnits: packHashes(cell.event) }
        : null,
  };
}

/** Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
