// How traffic is changed: asked for, loaded by every live server, then active and taken up by each, or nowhere. Whoever looks
// settles it.

import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, parseJson, withoutKeySecrets } from '../core/index.ts';
import {
  type EndpointState,
  nextRevision,
  readEndpoint,
  trafficOf,
  type TrafficOwner,
  writeChange,
  writeTraffic,
} from './endpoint-rows.ts';
import { checkOwner, overrideRollout } from './override-rollout.ts';
import { versionsIn } from './traffic-versions.ts';
import { readVersions } from './model-versions.ts';
import { createTellRefusal } from './refusals.ts';
import type { RegistryDb, RegistryStore } from './store.ts';
import { resolveTraffic, type Traffic } from './traffic.ts';
import { judgeChange, readTrafficWaits, type TrafficChange } from './traffic-change.ts';
import { refuseUnreadable } from './versions/refuse-unreadable.ts';
import type { Servers } from './versions/servers.ts';

/** The half of the endpoints' registry that changes traffic. */
export interface TrafficRegistry {
  /**
   * Asks for other variants, and shadows where given, by the versions that aliases mean now, and waits until every live
   * server has loaded them: then they are active, and it waits until every live server answers by them, a second at most
   * (`readTrafficWaits` tells which do not yet). After `waitMs` (10 s) it gives the state with a `change` that is still
   * `preparing`; the servers go on. `change` is what this call asked for, always: where another was asked for since, the state
   * is the one that this made. With `ifMatch` (an If-Match header) only when its ETag is current. Throws
   * HR_PRECONDITION, HR_INVALID (weights, names), HR_UNKNOWN_MODEL (a version or alias), HR_UNKNOWN_ENDPOINT,
   * HR_ROLLOUT_UNDERWAY while a rollout alone may change it, HR_NOT_PREPARED with each server's reason when one can't load them (nothing has changed then), HR_CONFLICT when another
   * change came after.
   */
  setTraffic(name: string, traffic: Traffic, options: SetTraffic): Promise<AskedState>;
  /** Looks whether a change that is being prepared can be active now, or has failed; for servers, at every poll. */
  settleTraffic(name: string): Promise<EndpointState>;
}

export interface SetTraffic {
  readonly actor: string;
  readonly ifMatch?: string;
  /** Why, for the audit log. */
  readonly reason?: string;
  /**
   * A rollout's own change: itself, which alone may change the traffic from now on, or null with its last one, which lets go.
   * Left out by everybody else: while a rollout is under way they are refused.
   */
  readonly rollout?: TrafficOwner | null;
  /**
   * Changes the traffic although a rollout is under way. Needs a reason. What lies beside the rollout's split, and other weights of
   * its two arms, leave it under way; else it ends once the change is active, and its candidate gets nothing (`overrideRollout`).
   */
  readonly override?: boolean;
  /**
   * Runs in the transaction that asks for the change, after it: what it throws undoes both. `before`: what the endpoint was in
   * that transaction.
   */
  readonly also?: (trx: RegistryDb, change: TrafficChange, before: EndpointState) => Promise<void>;
  /** Active as it is asked for: every server that answers has the versions loaded. HR_CONFLICT where one is not served yet. */
  readonly isAtOnce?: boolean;
  readonly waitMs?: number;
  /** Hears which servers have yet to load it: after 2 s, and whenever those are others then. */
  readonly onWait?: (waitsFor: readonly string[]) => void;
}

/** `change` is what was asked for, and no other. */
export type AskedState = EndpointState & { readonly change: TrafficChange };

const WAIT_MS = 10_000;
const TELL_AFTER_MS = 2000;
/** A server looks at the registry three times in it; one that has stopped is told of instead. */
const ADOPT_MS = 1000;
const LOOK_MS = 50;

export function createTrafficRegistry(store: RegistryStore, servers: Pick<Servers, 'list'>): TrafficRegistry {
  const tellRefusal = createTellRefusal(store);
  const ask = (
    name: string,
    traffic: Traffic,
    { ifMatch, actor, reason, rollout, override = false, also, isAtOnce = false }: SetTraffic,
    note: (before: object) => void,
  ): Promise<TrafficChange> =>
    store.change(async (trx, record) => {
      const before = await readEndpoint(trx, name);
      const known =
        before.change?.state === 'preparing' ? { ...trafficOf(before), change: before.change } : trafficOf(before);
      note(known);
      const isOverride = checkOwner(before, { rollout, override, reason });
      checkMatch(before, ifMatch, isOverride);
      const versions = await readVersions(trx, before.model);
      const asked = resolveTraffic(traffic, before, versions);
      const { endsRollout, ...resolved }: ReturnType<typeof overrideRollout> = isOverride
        ? overrideRollout(before, asked)
        : asked;
      // Of one that is served already the weight alone changes.
      const served = versionsIn({ ...before, change: null });
      const begun = [...versionsIn({ ...before, ...resolved, change: null })].filter((version) => !served.has(version));
      await refuseUnreadable(
        trx,
        versions.filter(({ version }) => begun.includes(version)),
      );
      if (isAtOnce && begun.length > 0)
        throw new HeadraceError('HR_CONFLICT', `version ${begun.join(', ')} of "${before.model}" is not served yet`);
      const change: TrafficChange = {
        revision: nextRevision(before),
        ...resolved,
        state: 'preparing',
        failures: [],
        askedMicros: store.now(),
        actor,
        reason: reason === undefined ? null : withoutKeySecrets(reason),
        ...(rollout ? { byRollout: rollout.id } : {}),
        ...(endsRollout === undefined ? {} : { endsRollout }),
      };
      const made: TrafficChange = isAtOnce ? { ...change, state: 'active' } : change;
      if (isAtOnce) await writeTraffic(trx, record, before, made);
      await writeChange(trx, name, made, rollout);
      await record({
        actor,
        action: 'endpoint.traffic.ask',
        object: `endpoint/${name}`,
        before: known,
        after: change,
        reason,
      });
      await also?.(trx, made, before);
      return made;
    });

  const settleTraffic = async (name: string): Promise<EndpointState> => {
    const seen = await readEndpoint(store.db, name);
    if (seen.change?.state !== 'preparing') return seen;
    const verdict = judgeChange(name, seen.change, await servers.list());
    if (verdict.kind === 'waiting') return seen;
    return store.change(async (trx, record) => {
      const before = await readEndpoint(trx, name);
      const { change } = before;
      // Another server was first, or another change came after.
      if (change?.state !== 'preparing' || change.revision !== seen.change?.revision) return before;
      if (verdict.kind === 'prepared') return writeTraffic(trx, record, before, { ...change, state: 'active' });
      const failed: TrafficChange = { ...change, state: 'failed', failures: verdict.failures };
      await writeChange(trx, name, failed);
      await record({
        actor: change.actor,
        action: 'endpoint.traffic.failed',
        object: `endpoint/${name}`,
        before: trafficOf(before),
        after: failed,
        reason: change.reason ?? undefined,
      });
      return { ...before, change: failed };
    });
  };

  const askAndWait = async (
    name: string,
    traffic: Traffic,
    options: SetTraffic,
    note: (before: object) => void,
  ): Promise<AskedState> => {
    const asked = await ask(name, traffic, options, note);
    const startMs = performance.now();
    const endMs = startMs + (options.waitMs ?? WAIT_MS);
    let told = '';
    for (;;) {
      const state = await settleTraffic(name);
      const { change } = state;
      if (change?.revision !== asked.revision) {
        const made = await readMade(store.db, name, asked.revision);
        if (made === undefined) throw supersededChange(name, asked.revision, state);
        return { ...made, change: { ...asked, state: 'active' } };
      }
      if (change.state !== 'preparing' || performance.now() >= endMs) return { ...state, change };
      if (options.onWait !== undefined && performance.now() - startMs >= TELL_AFTER_MS) {
        const waitsFor = (await readTrafficWaits(state, servers)) ?? [];
        if (waitsFor.length > 0 && waitsFor.join() !== told) options.onWait(waitsFor);
        told = waitsFor.join();
      }
      await delay(LOOK_MS);
    }
  };

  const untilServed = async (name: string, revision: number, waitMs: number): Promise<void> => {
    const endMs = performance.now() + waitMs;
    const served = { name, revision, change: null };
    while ((await readTrafficWaits(served, servers))?.length !== 0 && performance.now() < endMs) await delay(LOOK_MS);
  };

  return {
    async setTraffic(name, traffic, options) {
      const { actor, reason } = options;
      const attempt = {
        actor,
        reason,
        action: 'endpoint.traffic',
        object: `endpoint/${withoutKeySecrets(name).slice(0, 200)}`,
        asked: traffic,
      };
      const state = await tellRefusal(attempt, (note) => askAndWait(name, traffic, options, note));
      const { change } = state;
      // The audit log has it already, by whoever settled it.
      if (change.state === 'failed') throw failedChange(name, change);
      if (change.state === 'active')
        await untilServed(name, change.revision, Math.min(ADOPT_MS, options.waitMs ?? ADOPT_MS));
      return state;
    },
    settleTraffic,
  };
}

/** Whoever overrides a rollout need not know of the step that it asked for: the rollout asks again. */
function checkMatch({ name, etag, change }: EndpointState, ifMatch: string | undefined, isOverride: boolean): void {
  if (ifMatch === undefined) return;
  const given = ifMatch.slice(0, 80);
  if (!matches(ifMatch, etag)) {
    const sentence = `endpoint "${name}" is at ETag ${etag}, If-Match has ${given}; get it again`;
    throw new HeadraceError('HR_PRECONDITION', sentence);
  }
  if (change?.state !== 'preparing' || (isOverride && change.byRollout !== undefined)) return;
  const sentence = `revision ${change.revision} of endpoint "${name}" is being prepared, which If-Match ${given} knows nothing of; get it again`;
  throw new HeadraceError('HR_PRECONDITION', sentence);
}

function failedChange(name: string, { revision, failures }: TrafficChange): HeadraceError {
  const reasons = failures.map(({ server, reason }) => `${server}: ${reason}`).join('; ');
  return new HeadraceError(
    'HR_NOT_PREPARED',
    `revision ${revision} of endpoint "${name}" can't be served, so nothing has changed. ${reasons}`,
    { details: failures.map(({ server, reason }) => ({ path: server, message: reason })) },
  );
}

function supersededChange(name: string, revision: number, { change }: EndpointState): HeadraceError {
  const by = change === null ? 'other definitions were applied' : `revision ${change.revision} was asked for after it`;
  return new HeadraceError('HR_CONFLICT', `revision ${revision} of endpoint "${name}" never was active: ${by}`);
}

/** The state that a revision made, by the audit log; undefined where it never was active. */
async function readMade(
  db: RegistryDb,
  name: string,
  revision: number,
): Promise<Omit<EndpointState, 'change'> | undefined> {
  const rows = await db
    .selectFrom('registry_audit')
    .select('after')
    .where('object', '=', `endpoint/${name}`)
    .where('action', '=', 'endpoint.traffic')
    .where('after', 'like', `%"revision":${revision},%`)
    .where('after', 'not like', '%"refused":%')
    .execute();
  // What stands there unrefused is what `trafficOf` gave.
  const made = rows.map(({ after }) => parseJson(after ?? '{}') as unknown as Omit<EndpointState, 'change'>);
  return made.find((state) => state.revision === revision);
}

/** RFC 9110's If-Match: `*` or a list of strong ETags; one without its quotes is taken too. */
function matches(ifMatch: string, etag: string): boolean {
  const given = ifMatch.split(',').map((tag) => tag.trim());
  return given.some((tag) => tag === '*' || tag === etag || `"${tag}"` === etag);
}
