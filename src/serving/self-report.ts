// What this process tells the registry of itself: which definitions it has loaded, what it answers each endpoint by, and which
// view versions it reads and folds into. Whoever applies, or sets traffic, sees by it that every server has taken the change up;
// a version that one reads is not removed.

import { messageOf } from '../core/index.ts';
import type { PreparedTraffic, ServedTraffic } from '../registry/index.ts';
import { endpointHealth } from './definitions-health.ts';
import type { RequestTruths } from './request-truths.ts';
import type { ServingDeps } from './serving-deps.ts';
import { type Snapshot, versionsReadIn } from './snapshot.ts';

export interface SelfReport {
  /** At once when something of it changed, else every few seconds. Never throws. */
  tell(
    snapshot: Snapshot | undefined,
    failure: string | null,
    prepared: Readonly<Record<string, PreparedTraffic>>,
  ): Promise<void>;
  leave(): Promise<void>;
}

const TELL_EVERY_MS = 5000;

/** `failing`: which endpoints fail at every request. */
export function createSelfReport(
  { registry, logger, self }: Pick<ServingDeps, 'registry' | 'logger' | 'self'>,
  failing: RequestTruths['failing'],
): SelfReport {
  const { id, ...who } = self;
  let told = '';
  let lastTold = -Infinity;
  let isFailing = false;
  return {
    async tell(snapshot, failure, prepared) {
      const state = {
        ...who,
        revision: snapshot?.revision ?? null,
        failure,
        reads: snapshot === undefined ? [] : versionsReadIn(snapshot),
        folds: snapshot?.versions.map(({ version }) => version) ?? [],
        prepared,
      };
      const endpoints = servedTraffic(snapshot, failing);
      // What requests fail at may change with each: it is told with the next report.
      const text = JSON.stringify({
        ...state,
        endpoints: endpoints.map(([name, one]) => [name, { ...one, reason: '' }]),
      });
      if (text === told && performance.now() - lastTold < TELL_EVERY_MS) return;
      try {
        await registry.servers.report(id, { ...state, endpoints: Object.fromEntries(endpoints) });
        told = text;
        lastTold = performance.now();
        isFailing = false;
      } catch (thrown) {
        if (!isFailing) logger.warn({ reason: messageOf(thrown) }, 'the registry was not told of this server');
        isFailing = true;
      }
    },
    async leave() {
      // One that can't be told finds out by the silence.
      await registry.servers.leave(id).catch(() => undefined);
    },
  };
}

/** What it answers each endpoint by. */
function servedTraffic(
  snapshot: Snapshot | undefined,
  failing: RequestTruths['failing'],
): readonly (readonly [name: string, ServedTraffic])[] {
  return Array.from(snapshot?.endpoints ?? [], ([name, slot]) => {
    const { state, served, reason } = endpointHealth(slot, failing);
    return [name, { state, revision: slot.plan?.state.revision ?? null, versions: served, reason }];
  });
}
