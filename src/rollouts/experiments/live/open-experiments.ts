// Experiments as they run: started, reweighed and stopped by people, written into each bound endpoint's state by its own
// two-phased change. Applying definitions does neither.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, HeadraceError, invalid, type Micros } from '../../../core/index.ts';
import { type ExperimentSpec, type Manifest, own } from '../../../definitions/index.ts';
import type { EndpointState, LiveExperiment, Registry, SetTraffic } from '../../../registry/index.ts';
import type { Database } from '../../../storage/index.ts';
import type { ExperimentReport } from '../report/experiment-report.ts';
import { layArms } from './arm-ranges.ts';
import { findReport, type KeptReport, keepReport, listReports } from './kept-reports.ts';
import {
  type ExperimentDb,
  insertPhase,
  type LivePhase,
  openPhase,
  type Phase,
  readPhases,
  unknownExperiment,
  updatePhase,
} from './phases.ts';
import { type ExperimentTables, migrateExperiments } from './tables.ts';

/** How an experiment stands. */
export interface ExperimentState {
  readonly name: string;
  /** Null where the applied definitions no longer have it. */
  readonly spec: ExperimentSpec | null;
  /** Every one that there was, ascending. */
  readonly phases: readonly Phase[];
  /** Of those that its open phase binds, or that are defined. */
  readonly endpoints: readonly {
    readonly endpoint: string;
    /** `preparing`: servers are loading it. `absent`: it is not answered by, though it should. */
    readonly state: 'active' | 'preparing' | 'absent' | 'idle';
  }[];
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
    const endpoints = (running?.spec ?? spec)?.endpoints ?? [];
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
    return stateOf(name, spec, phases, await registry.endpoints.list());
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
    await claim(db, phase, before);
    try {
      for (const endpoint of spec.endpoints) await bind(registry, endpoint, name, liveAt(phase, endpoint), change);
    } catch (thrown) {
      await updatePhase(db, { ...phase, state: 'failed', endedMicros: clock.nowMicros() });
      for (const endpoint of spec.endpoints)
        await bind(registry, endpoint, name, before && liveAt(before, endpoint), change).catch(() => {});
      throw thrown;
    }
    await database.transaction<ExperimentTables, void>(async (trx) => {
      await updatePhase(trx, { ...phase, state: 'running' });
      if (before !== undefined) await updatePhase(trx, ended(before, clock.nowMicros(), change));
    });
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
      const running = runningPhase(name, await readPhases(db, name));
      change.permit?.(running.spec.endpoints);
      for (const endpoint of running.spec.endpoints) await bind(registry, endpoint, name, undefined, change);
      await updatePhase(db, ended(running, clock.nowMicros(), change));
      return get(name);
    },
    keep: (report) => keepReport(db, report),
    reports: (name) => listReports(db, name),
    report: (name, snapshot) => findReport(db, name, snapshot),
  };

  async function definedOrRan(name: string): Promise<void> {
    await get(name);
  }
}

function runningPhase(name: string, phases: readonly Phase[]): Phase {
  const running = openPhase(phases);
  if (running !== undefined) return running;
  throw new HeadraceError(
    'HR_CONFLICT',
    `experiment "${name}" does not run. \`headrace experiments start ${name}\` starts it.`,
  );
}

/** Two at once would each start a phase: the second finds the first one's row. */
async function claim(db: ExperimentDb, phase: Phase, before: Phase | undefined): Promise<void> {
  // One that never came to run is taken over.
  if (before?.state === 'starting')
    await updatePhase(db, { ...before, state: 'failed', endedMicros: phase.startedMicros });
  try {
    await insertPhase(db, phase);
  } catch (cause) {
    const sentence = `phase ${phase.phase} of experiment "${phase.name}" was started by somebody else a moment ago.`;
    throw new HeadraceError('HR_CONFLICT', sentence, { cause });
  }
}

/**
 * Writes what runs into the endpoint's state, or takes it out; what else is there stays as it is then. Somebody who changes the
 * traffic at the same moment is waited for.
 */
async function bind(
  registry: Pick<Registry, 'endpoints'>,
  endpoint: string,
  name: string,
  live: LiveExperiment | undefined,
  change: ExperimentChange,
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
    const experiments = live === undefined ? others : [...others, live];
    try {
      const traffic = { variants: before.variants, experiments };
      await registry.endpoints.setTraffic(endpoint, traffic, { ...change, ifMatch: before.etag });
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

function askedWeights(
  { name, live }: Phase,
  weights: Readonly<Record<string, number>>,
): { name: string; weight: number }[] {
  const known = live.arms.map((arm) => arm.name);
  const mistakes = Object.entries(weights).flatMap(([arm, weight]) => {
    if (!known.includes(arm))
      return [{ path: arm, message: `experiment "${name}" has no such arm; it has ${known.join(', ')}` }];
    const isPercent = weight >= 0 && weight <= 100 && Math.round(weight * 100) / 100 === weight;
    return isPercent ? [] : [{ path: arm, message: `expected a percentage with at most two decimals, got ${weight}` }];
  });
  const asked = live.arms.map((arm) => ({
    name: arm.name,
    weight: weights[arm.name] ?? arm.ranges.reduce((sum, [from, to]) => sum + to - from, 0) / 100,
  }));
  const sum = asked.reduce((all, { weight }) => all + Math.round(weight * 100), 0) / 100;
  if (mistakes.length === 0 && (sum > 100 || sum === 0))
    mistakes.push({ path: 'weights', message: `expected weights that sum to 100 at most, got ${sum}` });
  if (mistakes.length > 0) throw invalid(mistakes);
  return asked;
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
