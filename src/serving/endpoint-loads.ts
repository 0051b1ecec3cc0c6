// Loads what endpoints are to serve, beside what they serve: a poll never waits for a model, what can't be loaded leaves
// what was there, and is tried again where trying again can help.

import { HeadraceError, type Logger, type Micros, toHeadraceError, within } from '../core/index.ts';
import { isTransient } from '../models/index.ts';
import type { EndpointState, PreparedTraffic } from '../registry/index.ts';
import type { CompileOptions, EndpointPlan } from './endpoint-plan.ts';
import { retryDelayMs } from './load-retry.ts';

export interface EndpointLoads {
  /**
   * What is wanted from now on. Loads what isn't there; `isFresh`: something of the registry changed, so what failed may
   * succeed now.
   */
  want(wanted: readonly WantedEndpoint[], isFresh: boolean): void;
  /** Starts what is due to be tried again. */
  retry(): void;
  /** Resolves once nothing is being loaded, or after so long. */
  settled(limitMs: number): Promise<void>;
  slots(): ReadonlyMap<string, EndpointSlot>;
  /** Where each change of traffic that is asked for is loaded, or can't be. */
  prepared(): Readonly<Record<string, PreparedTraffic>>;
  /** Retires everything. */
  close(): Promise<void>;
}

export interface WantedEndpoint {
  readonly state: EndpointState;
  /** Of all that the plan is compiled from: equal ids, equal plans. */
  readonly id: string;
  compile(options: CompileOptions): Promise<EndpointPlan>;
  /** Traffic that is asked for and not active yet. */
  readonly next: (Pick<WantedEndpoint, 'id' | 'compile'> & { readonly revision: number }) | undefined;
}

/** One endpoint: what it serves, and what it should. */
export interface EndpointSlot {
  readonly state: EndpointState;
  /** What answers: the wanted plan, an earlier one while that can't be had, or what of it can. */
  readonly plan: EndpointPlan | undefined;
  /** Whether `plan` is the wanted one. */
  readonly isCurrent: boolean;
  readonly failure: LoadFailure | undefined;
}

export interface LoadFailure {
  readonly error: HeadraceError;
  readonly sinceMicros: Micros;
  /** Null where trying again can't help. */
  readonly retryMicros: Micros | null;
}

/** A load that hangs is one that failed. */
const LOAD_LIMIT_MS = 120_000;

/** What others mend without another artifact or other definitions, besides what `isTransient` says. */
const MENDED_BY_OTHERS: ReadonlySet<HeadraceError['code']> = new Set([
  'HR_VERSION_INCOMPLETE',
  'HR_CODE_MISSING',
  'HR_CODE_ALTERED',
]);

/** One thing that is loaded once. */
interface Load {
  readonly id: string;
  readonly compile: WantedEndpoint['compile'];
  plan: EndpointPlan | undefined;
  failure: LoadFailure | undefined;
  loading: Promise<void> | undefined;
  tries: number;
  /** By `performance.now()`; Infinity: never. */
  retryAtMs: number;
  isDropped: boolean;
}

interface Slot {
  state: EndpointState;
  active: Load;
  next: (Load & { readonly revision: number }) | undefined;
  /** What answers while `active` has no plan. */
  stood: EndpointPlan | undefined;
  toldOf: string;
}

export interface EndpointLoadsDeps {
  readonly logger: Logger;
  readonly nowMicros: () => Micros;
  readonly random?: () => number;
  /** Of one load. Default: two minutes. */
  readonly limitMs?: number;
  /** Something is loaded, or has failed. */
  readonly onChange: () => void;
}

export function createEndpointLoads(deps: EndpointLoadsDeps): EndpointLoads {
  const { logger, nowMicros, random = Math.random, onChange, limitMs = LOAD_LIMIT_MS } = deps;
  const slots = new Map<string, Slot>();
  const retiring = new Set<Promise<void>>();

  const retire = (name: string, plan: EndpointPlan | undefined): void => {
    if (plan === undefined) return;
    const retired = plan
      .retire()
      .catch((thrown: unknown) =>
        logger.error({ endpoint: name, reason: String(thrown) }, 'old models could not be unloaded'),
      )
      .finally(() => retiring.delete(retired));
    retiring.add(retired);
  };

  const drop = (name: string, load: Load | undefined): void => {
    if (load === undefined) return;
    load.isDropped = true;
    retire(name, load.plan);
  };

  const fail = (load: Load, thrown: unknown): void => {
    const error = thrown instanceof HeadraceError ? thrown : toHeadraceError(thrown);
    const now = nowMicros();
    const delayMs = retryDelayMs(load.tries++, random());
    const isPermanent = !isTransient(error) && !MENDED_BY_OTHERS.has(error.code);
    load.retryAtMs = isPermanent ? Infinity : performance.now() + delayMs;
    load.failure = {
      error,
      sinceMicros: load.failure?.sinceMicros ?? now,
      retryMicros: isPermanent ? null : now + Math.round(delayMs * 1000),
    };
  };

  const tell = (name: string, slot: Slot): void => {
    const { failure, plan } = slot.active;
    const reason = failure === undefined ? '' : `${failure.error.code}: ${failure.error.message}`;
    if (reason === slot.toldOf) return;
    const has =
      plan !== undefined
        ? plan.lacking === undefined
          ? 'endpoint lacks a shadow'
          : 'endpoint lacks a version: its requests go to the others'
        : slot.stood === undefined
          ? 'endpoint serves nothing'
          : 'endpoint keeps what it served before';
    if (failure !== undefined) {
      logger.error({ endpoint: name, revision: slot.state.revision, code: failure.error.code, reason }, has);
    }
    slot.toldOf = reason;
  };

  const tellRefused = (name: string, { revision }: { readonly revision: number }, { error }: LoadFailure): void => {
    const reason = `${error.code}: ${error.message}`;
    logger.warn({ endpoint: name, revision, reason }, 'traffic that was asked for can not be loaded');
  };

  const withinLimit = (name: string, load: Load, options: CompileOptions): Promise<EndpointPlan> => {
    let isLate = false;
    const compiling = load.compile(options);
    compiling.then(
      (plan) => {
        if (isLate) retire(name, plan);
      },
      () => {},
    );
    return within(compiling, limitMs, () => {
      isLate = true;
      throw new HeadraceError('HR_MODEL_NOT_READY', `it was not loaded within ${limitMs / 1000} s`);
    });
  };

  const start = (name: string, load: Load): void => {
    if (load.loading !== undefined || (load.plan !== undefined && load.failure === undefined)) return;
    const { active, stood } = slots.get(name) as Slot;
    // Some of it is better than nothing, and than nothing else: what answers goes on until all of the new can.
    const mayLack = load === active && stood === undefined && load.plan === undefined;
    const mayLackShadows = load === active;
    load.loading = withinLimit(name, load, { mayLack, mayLackShadows })
      .then(
        (plan) => {
          if (load.isDropped) return retire(name, plan);
          const lacks = plan.lacking ?? plan.shadows.lacking;
          // Another try at the shadows alone that brought nothing: what answers stays.
          if (load.plan !== undefined && load.plan.lacking === undefined && plan.shadows.lacking !== undefined)
            retire(name, plan);
          else {
            retire(name, load.plan);
            load.plan = plan;
          }
          if (lacks === undefined) load.failure = undefined;
          else fail(load, lacks);
        },
        (thrown: unknown) => fail(load, thrown),
      )
      .then(() => {
        load.loading = undefined;
        const slot = slots.get(name);
        if (slot === undefined || load.isDropped) return;
        if (slot.next === load && load.failure !== undefined) tellRefused(name, slot.next, load.failure);
        if (slot.active === load) {
          tell(name, slot);
          if (load.plan !== undefined) {
            retire(name, slot.stood);
            slot.stood = undefined;
          }
        }
        onChange();
      });
  };

  const adopt = (name: string, slot: Slot, wanted: WantedEndpoint): void => {
    slot.state = wanted.state;
    if (slot.active.id === wanted.id) return;
    const before = slot.active;
    if (slot.next?.id === wanted.id) {
      slot.active = slot.next;
      slot.next = undefined;
    } else slot.active = createLoad(wanted);
    // It goes on answering until the new one can.
    if (before.plan !== undefined) {
      retire(name, slot.stood);
      slot.stood = before.plan;
      before.plan = undefined;
    }
    drop(name, before);
    if (slot.active.plan !== undefined) {
      retire(name, slot.stood);
      slot.stood = undefined;
    }
  };

  const prepare = (name: string, slot: Slot, next: WantedEndpoint['next']): void => {
    if (slot.next?.id === next?.id) return;
    drop(name, slot.next);
    slot.next = next === undefined ? undefined : { ...createLoad(next), revision: next.revision };
  };

  const startDue = (isFresh: boolean): void => {
    const now = performance.now();
    for (const [name, slot] of slots) {
      for (const load of [slot.active, slot.next]) {
        if (load === undefined) continue;
        const isDue = isFresh ? load.retryAtMs !== Infinity : load.retryAtMs <= now;
        if (load.failure === undefined || isDue) start(name, load);
      }
    }
  };

  return {
    want(wanted, isFresh) {
      const names = new Set(wanted.map(({ state }) => state.name));
      for (const [name, slot] of slots) {
        if (names.has(name)) continue;
        slots.delete(name);
        retire(name, slot.stood);
        drop(name, slot.active);
        drop(name, slot.next);
      }
      for (const one of wanted) {
        const { name } = one.state;
        let slot = slots.get(name);
        if (slot === undefined) {
          slot = { state: one.state, active: createLoad(one), next: undefined, stood: undefined, toldOf: '' };
          slots.set(name, slot);
        } else adopt(name, slot, one);
        prepare(name, slot, one.next);
      }
      // Before anything else runs: what was retired must not be found any more.
      onChange();
      startDue(isFresh);
    },
    retry: () => startDue(false),
    async settled(limitMs) {
      const loading = [...slots.values()].flatMap(({ active, next }) => [active.loading, next?.loading]);
      const running = loading.filter((one) => one !== undefined);
      if (running.length === 0) return;
      await within(Promise.all(running), limitMs);
    },
    slots: () =>
      new Map(
        Array.from(slots, ([name, { state, active, stood }]) => [
          name,
          {
            state,
            plan: active.plan ?? stood,
            isCurrent: active.plan !== undefined && (active.failure === undefined || active.plan.lacking === undefined),
            failure: active.failure,
          },
        ]),
      ),
    prepared() {
      const told: Record<string, PreparedTraffic> = {};
      for (const [name, { next }] of slots) {
        if (next === undefined || (next.plan === undefined && next.failure === undefined)) continue;
        const { error } = next.failure ?? {};
        told[name] = {
          revision: next.revision,
          failure: next.plan !== undefined || error === undefined ? null : `${error.code}: ${error.message}`,
        };
      }
      return told;
    },
    async close() {
      for (const [name, slot] of slots) {
        retire(name, slot.stood);
        drop(name, slot.active);
        drop(name, slot.next);
      }
      slots.clear();
      await Promise.all(retiring);
    },
  };
}

function createLoad({ id, compile }: Pick<WantedEndpoint, 'id' | 'compile'>): Load {
  return {
    id,
    compile,
    plan: undefined,
    failure: undefined,
    loading: undefined,
    tries: 0,
    retryAtMs: 0,
    isDropped: false,
  };
}
