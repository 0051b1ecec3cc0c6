// The controller of rollouts as a server's background job, and what it sees requests by: the minutes of all servers, the registry's
// servers, and the prediction log for outcomes that ripen.

import { floorTo, MICROS_PER_MINUTE } from '../core/index.ts';
import type { MinuteRow, Minutes } from '../monitoring/index.ts';
import { LATELY_MICROS, type Registry } from '../registry/index.ts';
import type { RolloutEvidence } from '../rollouts/index.ts';
import type { BackgroundJob } from './background/background-job.ts';
import { withMonitorDuckDb } from './monitor-duckdb.ts';
import type { App } from './open-app.ts';
import { tellAlerts } from './tell-alerts.ts';

/** A breach is seen within a second of its minutes. */
const EVERY_MS = 1000;

export async function rolloutJobs(app: App): Promise<BackgroundJob[]> {
  const { openMinutes } = await import('../monitoring/index.ts');
  const { createSharedClock } = await import('../storage/index.ts');
  const { createController, migrateRollouts } = await import('../rollouts/index.ts');
  const database = await migrateRollouts(await app.database());
  const registry = await app.registry();
  const minutes = await openMinutes(database, app.clock);
  const shared = createSharedClock(database, app.clock);
  const controller = createController({
    database,
    registry,
    evidence: rolloutEvidence(app, minutes, registry),
    clock: { nowMicros: shared.now },
    logger: app.logger,
    tell: async (news) => tellAlerts(await app.alerts())(news),
  });
  return [
    {
      name: 'rollouts',
      everyMs: EVERY_MS,
      async run(signal, held) {
        await shared.set();
        await controller.look(held, signal);
      },
    },
  ];
}

export function rolloutEvidence(app: App, minutes: Minutes, registry: Registry): RolloutEvidence {
  return {
    minutes: (query) => minutes.read(query),
    async lateServers(sinceMicros) {
      const { live, silent } = await registry.servers.heard();
      const wereLive = silent.filter(({ seenMicros }) => seenMicros >= sinceMicros - LATELY_MICROS);
      // One that has loaded nothing answers nobody.
      const servers = [...live, ...wereLive].filter(({ revision }) => revision !== null);
      const named = new Map(servers.map(({ id, machine, pid }) => [id, `${machine} ${pid}`]));
      return (await minutes.late(servers)).map(({ id }) => named.get(id) ?? id);
    },
    async slowLimit({ endpoint, version, fromMicros, factor }) {
      const { slowLimit } = await import('../monitoring/index.ts');
      const rows = await minutes.read({ endpoint, fromMicros });
      const isStable = (row: MinuteRow): boolean => row.kind === 'arm' && row.version === version;
      return slowLimit(rows.filter(isStable), floorTo(await minutes.now(), MICROS_PER_MINUTE), factor);
    },
    tellSlowLimit: (endpoint, micros) => minutes.setSlowLimit(endpoint, micros ?? undefined),
    async matured(question) {
      const { maturedOutcomes } = await import('../monitoring/index.ts');
      const directory = app.config.values['predictionLog.path'];
      const nowMicros = await minutes.now();
      // Within what a monitor may take: requests are answered beside it.
      return withMonitorDuckDb(app, (duckdb) => maturedOutcomes(duckdb, { ...question, directory, nowMicros }));
    },
  };
}
