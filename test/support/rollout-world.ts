// A world for rollouts on a real registry: servers that tell of themselves, units that send requests, minutes that add up, all by
// a clock that is moved by hand. Only the requests are made up.

import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { tellAlerts } from '../../src/app/tell-alerts.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openAlerts } from '../../src/monitoring/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import {
  type ArmMinute,
  type Controller,
  createController,
  fnv1a,
  type MaturedOutcomes,
  openRollouts,
  type Operator,
  type RolloutEvidence,
  type ShownRollout,
  type StartRollout,
} from '../../src/rollouts/index.ts';
import { createHashSample, packHashes } from '../../src/statistics/index.ts';
import { type LeaseToken, migrateLeases, openDatabase, takeLease } from '../../src/storage/index.ts';
import type { TestDatabases } from './databases.ts';
import { flightsManifest } from './manifests.ts';
import { type DatabaseFaults, withFaults } from './database-faults.ts';
import { artifact, MODEL, NOW, serverState } from './registries.ts';

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

export type RolloutWorld = Awaited<ReturnType<typeof openRolloutWorld>>;

/** In a describe block: `take` gets a world on a database of its own before each test. */
export function inRolloutWorlds(databases: TestDatabases, take: (world: RolloutWorld) => void): void {
  let world: RolloutWorld | undefined;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => take((world = await openRolloutWorld(await databases.newUrl()))));
  afterEach(() => world?.close());
}

export async function openRolloutWorld(url: string) {
  const database = await openDatabase(url);
  await migrateLeases(database);
  let nowMicros = NOW;
  let steadyMs = 0;
  const clock = { nowMicros: () => nowMicros };
  const registry = await openRegistry(database, clock);
  await registry.definitions.apply(flightsManifest, { actor: 'ann' });
  for (const digit of ['1', '2', '3']) {
    const made = { model: MODEL, artifact: artifact(digit), signature: { inputs: [] }, actor: 'ann' };
    await registry.models.register(made);
  }
  let ids = 0;
  const rollouts = await openRollouts({ database, registry, clock, newId: () => `r${++ids}` });
  const cells = new Map<string, Cell>();
  /** Whose minutes come no more. */
  const late = new Set<string>();
  const servers = new Set(['a', 'b']);
  /** What is slow, as servers were told last. */
  const slow = new Map<string, number>();
  const matured: MaturedOutcomes[] = [];
  const alerting = { clock, logger: silentLogger, hasReceiver: true };
  const alerts = await openAlerts(database, alerting);
  const random = seeded(7);
  let held: LeaseToken | undefined;
  let holders = 0;
  let serial = 0;

  const evidence: RolloutEvidence = {
    minutes: async ({ revisions, fromMicros, toMicros = Infinity }) =>
      [...cells.values()]
        .filter(({ row }) => revisions.includes(row.revision))
        .filter(({ row }) => row.minute >= fromMicros && row.minute < toMicros)
        .map(packCell),
    lateServers: async () => [...late].filter((server) => servers.has(server)),
    slowLimit: async () => 50_000,
    async tellSlowLimit(endpoint, micros) {
      if (micros === null) slow.delete(endpoint);
      else slow.set(endpoint, micros);
    },
    matured: async () => matured,
  };
  /** Of a process of its own, which ends where `faults` say. */
  const newController = async (faults?: DatabaseFaults): Promise<Controller> => {
    const own = faults === undefined ? database : withFaults(database, faults);
    return createController({
      database: own,
      registry: faults === undefined ? registry : await openRegistry(own, clock),
      evidence,
      clock,
      steadyMs: () => steadyMs,
      tell: tellAlerts(own === database ? alerts : await openAlerts(own, alerting)),
      logger: silentLogger,
    });
  };
  const controller = await newController();
  /** Another holder takes over; `controller` is then the former one's. */
  const takeOver = async (): Promise<LeaseToken> => {
    const lease = await takeLease(database, { name: 'job rollouts', holder: `holder ${++holders}`, ttlMs: 0 });
    if (lease === undefined) throw new Error('the lease was not given');
    return lease;
  };
  const cellOf = (variant: string, version: number, revision: number, kind = 'arm'): Cell => {
    const minute = nowMicros - (nowMicros % (60 * SECOND));
    const key = [kind, variant, version, revision, minute].join();
    const cell = cells.get(key) ?? newCell({ kind, variant, version, revision, minute, writer: 'a' });
    cells.set(key, cell);
    return cell;
  };
  /** Both clocks go on. */
  const later = (micros: number): void => {
    nowMicros += micros;
    steadyMs += micros / 1000;
  };
  /** Servers that are there load what is asked for, but those that fail, and answer by what is active. */
  const serve = async (fails: Readonly<Record<string, string>> = {}): Promise<void> => {
    const { revision, change } = await registry.endpoints.get(ENDPOINT);
    for (const id of servers) {
      const loaded = { [ENDPOINT]: { revision: change?.revision ?? 0, failure: fails[id] ?? null } };
      const prepared = change?.state === 'preparing' ? loaded : {};
      const endpoints = { [ENDPOINT]: { state: 'serving', revision, versions: [], reason: null } } as const;
      await registry.servers.report(id, serverState({ pid: id.charCodeAt(0), prepared, endpoints }));
    }
  };
  const send = async ({ units, stable = {}, candidate = {}, reach = 1, population }: Sent): Promise<void> => {
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
      for (const kind of ['error', 'slow', 'null'] as const) if (random() < (rates[kind] ?? 0)) cell[kind].add(hash);
      if (rates.outcome === undefined) continue;
      const told = cellOf('', arm.version, revision, 'outcome');
      const value = random() < rates.outcome ? 1 : 0;
      told.n[hash % 64]! += 1;
      told.sum[hash % 64]! += value;
      if (value === 1) told.event.add(hash);
    }
  };
  const look = async (by?: LeaseToken, own = controller): Promise<void> => {
    await own.look(by ?? (held ??= await takeOver()));
  };
  const shown = async (): Promise<ShownRollout> => {
    const [newest] = await rollouts.list({ limit: 1 });
    if (newest === undefined) throw new Error('there is no rollout');
    return newest;
  };

  const parts = { database, registry, rollouts, controller, slow, alerts, servers, late, matured };
  const steps = { takeOver, newController, later, serve, send, look, shown };
  return {
    ...parts,
    ...steps,
    /** Microseconds. */
    now: () => nowMicros,
    held() {
      if (held === undefined) throw new Error('take over first');
      return held;
    },
    /** The wall clock alone is set. */
    jump: (micros: number) => void (nowMicros += micros),
    start: (input: Partial<StartRollout> = {}, by = ANN) =>
      rollouts.start({ ...QUICK, endpoint: ENDPOINT, candidate: 2, ...input }, by),
    async openBreaker() {
      const { variants, revision } = await registry.endpoints.get(ENDPOINT);
      const arm = variants.find(({ version }) => version === 2);
      if (arm !== undefined) cellOf(arm.name, arm.version, revision).opens++;
    },
    /** So many outcomes that name a unit and a time. */
    tellOfUnits: (count: number) => void (cellOf('', 0, 0, 'outcome').n[0]! += count),
    /** So many seconds: servers, requests, a look in each; ends early where `until` holds. */
    async run(seconds: number, sent?: Sent, until?: (one: ShownRollout) => boolean): Promise<ShownRollout> {
      for (let second = 0; second < seconds; second++) {
        await serve();
        if (sent !== undefined) await send(sent);
        await look();
        later(SECOND);
        if (until?.(await shown()) === true) break;
      }
      return shown();
    },
    async weights(): Promise<Readonly<Record<string, number>>> {
      const { variants } = await registry.endpoints.get(ENDPOINT);
      return Object.fromEntries(variants.map(({ name, version, weight }) => [`${name} ${version}`, weight]));
    },
    close: () => database.close(),
  };
}

/** Nobody asks anything. */
export const NO_REQUESTS: RolloutEvidence = {
  minutes: async () => [],
  lateServers: async () => [],
  slowLimit: async () => undefined,
  tellSlowLimit: async () => {},
  matured: async () => [],
};

/** Quick, and with little to wait for. */
const QUICK = {
  steps: [10, 50, 100],
  holdMicros: 10 * SECOND,
  warmupMicros: 0,
  minUnits: 20,
  bakeMicros: 5 * SECOND,
} as const;

type Cell = ReturnType<typeof newCell>;
function newCell(row: Pick<ArmMinute, 'kind' | 'variant' | 'version' | 'revision' | 'minute' | 'writer'>) {
  const zeros = () => Array.from({ length: 64 }, () => 0);
  const [units, event] = [createHashSample(), createHashSample()];
  const events = { error: createHashSample(), slow: createHashSample(), null: createHashSample() };
  return { row, rows: 0, opens: 0, units, ...events, event, n: zeros(), sum: zeros() };
}

function packCell({ row, rows, opens, n, sum, ...of }: Cell): ArmMinute {
  const [units, errorUnits, slowUnits] = [packHashes(of.units), packHashes(of.error), packHashes(of.slow)];
  const outcomes = row.kind === 'outcome' ? { n, sum, squares: sum, eventUnits: packHashes(of.event) } : null;
  return { ...row, rows, breakerOpens: opens, units, errorUnits, slowUnits, nullUnits: packHashes(of.null), outcomes };
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
