// Experiments as they run: started, reweighed and stopped by people, written into each bound endpoint's state by its own
// two-phased change. Applying definitions does neither.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, HeadraceError, type Micros } from '../../../core/index.ts';
import { type ExperimentSpec, type Manifest, own } from '../../../definitions/index.ts';
import type { EndpointState, LiveExperiment, Registry, SetTraffic } from '../../../registry/index.ts';
import type { Database } from '../../../storage/index.ts';
import type { ExperimentReport } from '../report/experiment-report.ts';
import { layArms } from './arm-ranges.ts';
import { askedWeights } from './asked-weights.ts';
import { findReport, type KeptReport, keepReport, listReports } from './kept-reports.ts';
import {
  type ExperimentDb,
  insertPhase,
  isOpen,
  type LivePhase,
  movePhase,
  openPhase,
  type Phase,
  readPhases,
  unknownExperiment,
} from './phases.ts';
import { refuseSharedUnits } from './shared-units.ts';
import { type ExperimentTables, migrateExperiments } from './tables.ts';

/** How an experiment stands. */
export interface ExperimentState {
  readonly name: string;
  /** Null where the applied definitions no longer have it. */
  readonly spec: ExperimentSpec | null;
  /** Every one that there was, ascending. */
  readonly phases: readonly Phase[];
  /** Of those that its open phase binds, or that are defined; where it is defined no more, those that it was on last. */
  readonly endpoints: readonly {
    readonly endpoint: string;
    /** `preparing`: servers are loading it. `absent`: it is not answered by, though it should. */
    readonly state: 'active' | 'preparing' | 'absent' | 'idle';
  }[];
  /** That were made, the newest first; left out in lists. */
  readonly reports?: readonly KeptReport[];
}

export type ExperimentChange = Pick<SetTraffic, 'actor' | 'reason' | 'override' | 'waitMs' | 'onWait'> & {
  /** Throws where whoever asks may not change the traffic of one of these; before anything is changed. */
  readonly permit?: (endpoints: readonly string[]) => void;
};

export interface Experiments {
  /** Those that are defined, and those that ever ran. */
  list(): Promise<ExperimentState[]>;
  /** Throws HR_UNKNOWN_EXPERIMENT. */
  get(name: string): Promise<ExperimentState>;
  /**
   * Starts a phase, by a new seed. Throws HR_UNKNOWN_EXPERIMENT, HR_CONFLICT where it runs or an endpoint has no traffic yet, and
   * what changing traffic does; nothing runs then.
   */
  start(name: string, change: ExperimentChange): Promise<ExperimentState>;
  /** Ends the phase and starts the next with these weights (percent by arm); arms left out keep theirs. */
  reweigh(name: string, weights: Readonly<Record<string, number>>, change: ExperimentChange): Promise<ExperimentState>;
  /** Throws HR_CONFLICT where it does not run. */
  stop(name: string, change: ExperimentChange): Promise<ExperimentState>;
  /** Keeps a report by its snapshot, once. */
  keep(report: ExperimentReport): Promise<void>;
  /** Reports that were made, the newest first. */
  reports(name: string): Promise<readonly KeptReport[]>;
  /** One of them again; undefined where it is not kept. */
  report(name: string, snapshot: string): Promise<ExperimentReport | undefined>;
}

export interface ExperimentsDeps {
  readonly database: Database;
  readonly registry: Pick<Registry, 'definitions' | 'endpoints' | 'models'>;
  readonly clock: Clock;
  readonly newSeed?: () => string;
}

export async function openExperiments(deps: ExperimentsDeps): Promise<Experiments> {
  const { registry, clock, newSeed = () => randomBytes(8).toString('hex') } = deps;
  const database = await migrateExperiments(deps.database);
  const db = database.tables<ExperimentTables>();

  const manifestOf = async (): Promise<Manifest | undefined> => (await registry.definitions.current())?.manifest;
  const stateOf = (
    name: string,
    spec: ExperimentSpec | undefined,
    phases: readonly Phase[],
    all: readonly EndpointState[],
  ) => {
    const running = openPhase(phases);
    const endpoints = (running?.spec ?? spec ?? phases.at(-1)?.spec)?.endpoints ?? [];
    return {
      name,
      spec: spec ?? null,
      phases,
      endpoints: endpoints.map((endpoint) => ({
        endpoint,
        state: standing(
          all.find((one) => one.name === endpoint),
          running,
        ),
      })),
    };
  };
  const get = async (name: string): Promise<ExperimentState> => {
    const [manifest, phases] = [await manifestOf(), await readPhases(db, name)];
    const spec = own(manifest?.experiments ?? {}, name);
    if (spec === undefined && phases.length === 0)
      throw unknownExperiment(name, Object.keys(manifest?.experiments ?? {}));
    return { ...stateOf(name, spec, phases, await registry.endpoints.list()), reports: await listReports(db, name) };
  };
  const definedSpec = async (name: string): Promise<ExperimentSpec> => {
    const known = (await manifestOf())?.experiments ?? {};
    const spec = own(known, name);
    if (spec === undefined) throw unknownExperiment(name, Object.keys(known));
    return spec;
  };

  const begin = async (
    name: string,
    change: ExperimentChange,
    make: (
      phases: readonly Phase[],
    ) => Promise<{ readonly spec: ExperimentSpec; readonly live: LivePhase; readonly before?: Phase }>,
  ): Promise<ExperimentState> => {
    const phases = await readPhases(db, name);
    const { spec, live, before } = await make(phases);
    change.permit?.([...spec.endpoints, ...(before?.spec.endpoints ?? [])]);
    const phase: Phase = {
      name,
      phase: (phases.at(-1)?.phase ?? 0) + 1,
      state: 'starting',
      live,
      spec,
      startedMicros: clock.nowMicros(),
      endedMicros: null,
      actor: change.actor,
      reason: change.reason ?? null,
      endedBy: null,
      endReason: null,
    };
    await claim(database, phase, before);
    try {
      for (const endpoint of spec.endpoints)
        await bind(registry, endpoint, name, liveAt(phase, endpoint), change, (trx) => refuseEnded(trx, phase));
      await database.transaction<ExperimentTables, void>(async (trx) => {
        const isOurs = await movePhase(trx, { ...phase, state: 'running' }, 'starting');
        // One that never came to run was given up by the claim.
        const hasEnded =
          before?.state !== 'running' || (await movePhase(trx, ended(before, clock.nowMicros(), change), 'running'));
        if (!isOurs || !hasEnded) throw overtaken(phase);
      });
    } catch (thrown) {
      await movePhase(db, { ...phase, state: 'failed', endedMicros: clock.nowMicros() }, 'starting');
      await restore(name, spec.endpoints, change);
      throw thrown;
    }
    return get(name);
  };

  return {
    async list() {
      const [manifest, all, endpoints] = [await manifestOf(), await readPhases(db), await registry.endpoints.list()];
      const defined = manifest?.experiments ?? {};
      const names = [...new Set([...Object.keys(defined), ...all.map(({ name }) => name)])].sort();
      return names.map((name) =>
        stateOf(
          name,
          own(defined, name),
          all.filter((phase) => phase.name === name),
          endpoints,
        ),
      );
    },
    get,
    start: (name, change) =>
      begin(name, change, async (phases) => {
        const spec = await definedSpec(name);
        const running = openPhase(phases);
        if (running?.state === 'running')
          throw new HeadraceError('HR_CONFLICT', `experiment "${name}" runs already, in phase ${running.phase}.`);
        const arms = layArms([], spec.arms);
        const live = { seed: newSeed(), arms: await withVersions(registry, spec, arms) };
        return running === undefined ? { spec, live } : { spec, live, before: running };
      }),
    reweigh: (name, weights, change) =>
      begin(name, change, async (phases) => {
        const before = runningPhase(name, phases);
        const arms = layArms(before.live.arms, askedWeights(before, weights));
        // The same versions: what an alias means by now is another experiment.
        const versions = new Map(before.live.arms.map((arm) => [arm.name, arm.versions]));
        const live = { ...before.live, arms: arms.map((arm) => ({ ...arm, versions: versions.get(arm.name) ?? {} })) };
        return { spec: before.spec, live, before };
      }),
    async stop(name, change) {
      await definedOrRan(name);
      const phases = await readPhases(db, name);
      const open = phases.filter(isOpen);
      const holding = await boundTo(name);
      // What somebody who was cut off left in an endpoint is taken out, too.
      if (open.length === 0 && holding.length === 0) throw notRunning(name);
      const endpoints = new Set([...open.flatMap(({ spec }) => spec.endpoints), ...holding]);
      change.permit?.([...endpoints]);
      const end = async (state: 'starting' | 'running'): Promise<void> => {
        for (const phase of open.filter((one) => one.state === state)) {
          const last = ended(phase, clock.nowMicros(), change);
          await movePhase(db, state === 'running' ? last : { ...last, state: 'failed' }, state);
        }
      };
      // Whoever is starting one learns so at the next endpoint.
      await end('starting');
      try {
        for (const endpoint of endpoints) await bind(registry, endpoint, name, undefined, change);
      } catch (thrown) {
        // Half of an experiment is none: it goes on where it was.
        await restore(name, [...endpoints], change);
        throw thrown;
      }
      await end('running');
      // By then nobody puts it back, and whoever just did is undone.
      for (const endpoint of await boundTo(name, 'then')) await bind(registry, endpoint, name, undefined, change);
      return get(name);
    },
    keep: (report) => keepReport(db, report),
    reports: (name) => listReports(db, name),
    report: (name, snapshot) => findReport(db, name, snapshot),
  };

  async function definedOrRan(name: string): Promise<void> {
    await get(name);
  }

  /** Endpoints that have it, or are being given it; `then`: that have it once what servers are loading is active. */
  async function boundTo(name: string, when: 'now or then' | 'then' = 'now or then'): Promise<readonly string[]> {
    const has = ({ experiments }: Pick<EndpointState, 'experiments'>): boolean =>
      experiments.some((one) => one.name === name);
    const all = await registry.endpoints.list();
    return all
      .filter((one) => {
        const next = one.change?.state === 'preparing' ? one.change : undefined;
        return when === 'then' ? has(next ?? one) : has(one) || (next !== undefined && has(next));
      })
      .map((one) => one.name);
  }

  /** Back to the phase that runs, or to none; where somebody else starts one by now, that is theirs to do. */
  async function restore(name: string, endpoints: readonly string[], change: ExperimentChange): Promise<void> {
    const phases = await readPhases(db, name);
    if (phases.some(({ state }) => state === 'starting')) return;
    const running = phases.find(({ state }) => state === 'running');
    for (const endpoint of endpoints) {
      const live = running?.spec.endpoints.includes(endpoint) === true ? liveAt(running, endpoint) : undefined;
      const check = running === undefined ? undefined : (trx: ExperimentDb) => refuseEnded(trx, running);
      await bind(registry, endpoint, name, live, change, check).catch(() => {});
    }
  }
}

function runningPhase(name: string, phases: readonly Phase[]): Phase {
  const running = openPhase(phases);
  if (running !== undefined) return running;
  throw notRunning(name);
}

function notRunning(name: string): HeadraceError {
  const sentence = `experiment "${name}" does not run. \`headrace experiments start ${name}\` starts it.`;
  return new HeadraceError('HR_CONFLICT', sentence);
}

function overtaken({ name, phase }: Phase): HeadraceError {
  const sentence = `phase ${phase} of experiment "${name}" was given up: somebody else started or stopped it meanwhile.`;
  return new HeadraceError('HR_CONFLICT', sentence);
}

/** In the transaction that writes it into an endpoint. */
async function refuseEnded(trx: ExperimentDb, phase: Phase): Promise<void> {
  const now = (await readPhases(trx, phase.name)).find((one) => one.phase === phase.phase);
  if (now?.state !== phase.state) throw overtaken(phase);
}

/** Two at once would each start a phase: the second finds the first one's row. What was started and never came to run is given up. */
async function claim(
  database: Pick<Database, 'transaction'>,
  phase: Phase,
  replaced: Phase | undefined,
): Promise<void> {
  const { name, startedMicros } = phase;
  const work = async (trx: ExperimentDb): Promise<void> => {
    const sentence = `phase ${phase.phase} of experiment "${name}" was started by somebody else a moment ago.`;
    const refused = new HeadraceError('HR_CONFLICT', sentence);
    const before = await readPhases(trx, name);
    // One that was starting a moment ago may run by now: then it is nobody's to give up.
    const hasBegun = before.some((one) => one.state === 'running' && replaced?.state !== 'running');
    if (hasBegun || before.some((one) => one.phase >= phase.phase)) throw refused;
    // Or it comes to run this very moment, by a transaction that commits between the read and here.
    for (const one of before.filter(({ state }) => state === 'starting'))
      if (!(await movePhase(trx, { ...one, state: 'failed', endedMicros: startedMicros }, 'starting'))) throw refused;
    await insertPhase(trx, phase);
  };
  await database.transaction<ExperimentTables, void>(work, { serializedBy: 'experiment_phases' });
}

/**
 * Writes what runs into the endpoint's state, or takes it out; what else is there stays as it is then. Somebody who changes the
 * traffic at the same moment is waited for. `check`: in the transaction that writes it.
 */
async function bind(
  registry: Pick<Registry, 'endpoints'>,
  endpoint: string,
  name: string,
  live: LiveExperiment | undefined,
  change: ExperimentChange,
  check?: (trx: ExperimentDb) => Promise<void>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const before = await registry.endpoints.get(endpoint);
    const others = before.experiments.filter((one) => one.name !== name);
    if (live === undefined && others.length === before.experiments.length) return;
    if (before.variants.length === 0)
      throw new HeadraceError(
        'HR_CONFLICT',
        `endpoint "${endpoint}" has no traffic yet: who is in no experiment would get no answer. Register a version first.`,
      );
    if (live !== undefined) refuseSharedUnits(endpoint, live, others);
    const experiments = live === undefined ? others : [...others, live];
    try {
      const traffic = { variants: before.variants, experiments };
      await registry.endpoints.setTraffic(endpoint, traffic, {
        ...change,
        ifMatch: before.etag,
        // The registry's database is the experiments', too.
        ...(check && { also: (trx) => check(trx as unknown as ExperimentDb) }),
      });
      return;
    } catch (error) {
      const isChanged = error instanceof HeadraceError && error.code === 'HR_PRECONDITION';
      if (!isChanged || tries >= MOST_TRIES) throw error;
      await delay(AGAIN_MS);
    }
  }
}

const MOST_TRIES = 20;
const AGAIN_MS = 250;

function liveAt({ name, phase, live, spec }: Phase, endpoint: string): LiveExperiment {
  const { namespace, when, unit } = spec;
  return {
    name,
    phase,
    seed: live.seed,
    unit,
    namespace: namespace === undefined ? null : { seed: namespace.name, ranges: [namespace.range] },
    // The definition was checked.
    when: (when ?? null) as LiveExperiment['when'],
    arms: live.arms.map((arm) => ({ name: arm.name, version: arm.versions[endpoint] ?? 0, ranges: arm.ranges })),
  };
}

/** What aliases mean now, so that one that moves later moves no arm in silence. */
async function withVersions(
  registry: Pick<Registry, 'endpoints' | 'models'>,
  spec: ExperimentSpec,
  arms: ReturnType<typeof layArms>,
): Promise<LivePhase['arms']> {
  const made: LivePhase['arms'][number][] = [];
  for (const arm of arms) {
    const asked = spec.arms.find(({ name }) => name === arm.name)?.version ?? 0;
    const versions: Record<string, number> = {};
    for (const endpoint of spec.endpoints) {
      const { model } = await registry.endpoints.get(endpoint);
      versions[endpoint] = (await registry.models.resolve(model, String(asked))).version;
    }
    made.push({ ...arm, versions });
  }
  return made;
}

function ended(phase: Phase, at: Micros, { actor, reason }: ExperimentChange): Phase {
  return { ...phase, state: 'ended', endedMicros: at, endedBy: actor, endReason: reason ?? null };
}

function standing(
  endpoint: EndpointState | undefined,
  running: Phase | undefined,
): ExperimentState['endpoints'][number]['state'] {
  const has = (experiments: readonly LiveExperiment[] | undefined): boolean =>
    experiments?.some(({ name, phase }) => name === running?.name && phase === running.phase) ?? false;
  if (running === undefined) return 'idle';
  if (has(endpoint?.experiments)) return 'active';
  return endpoint?.change?.state === 'preparing' && has(endpoint.change.experiments) ? 'preparing' : 'absent';
}
