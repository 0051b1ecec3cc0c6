// Servers that a rollout has not heard of for long, as the controller of a server sees them: one that can not reach the database
// answers requests all the same.

import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { rolloutEvidence } from '../../src/app/open-rollout-controller.ts';
import { pidSpace, silentLogger } from '../../src/core/index.ts';
import { createMinuteCollector, openMinutes, startMinuteWriter } from '../../src/monitoring/index.ts';
import { createSharedClock } from '../../src/storage/index.ts';
import { NOW, serverState } from '../support/registries.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';

const SECOND = 1_000_000;

let project: Project;
let app: App;
let now = NOW;
beforeEach(async () => {
  now = NOW;
  project = createProject({ 'headrace.config.ts': CONFIG });
  app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: project.directory },
    clock: { nowMicros: () => now },
    logger: silentLogger,
  });
});
afterEach(async () => {
  await app.close();
  project.remove();
});

it('are late until they are heard of again, and no more once they have left', async () => {
  const registry = await app.registry();
  const database = await app.database();
  const evidence = rolloutEvidence(app, await openMinutes(database, app.clock), registry);
  const clock = createSharedClock(database, app.clock);
  const collector = createMinuteCollector(clock.now);
  const serve = (server: string) => {
    const given = { database, collector, clock, server, logger: silentLogger, tickMs: 0 };
    const writer = startMinuteWriter(given);
    return async (): Promise<void> => {
      await registry.servers.report(server, serverState({ machine: server, pid: 7, startedMicros: NOW }));
      await writer.flush();
    };
  };
  const [a, b] = [serve('a'), serve('b')];
  await a();
  await b();
  expect(await evidence.lateServers(NOW)).toEqual([]);
  // One hears nothing of the database, and nobody hears of it.
  now += 60 * SECOND;
  await a();
  expect(await evidence.lateServers(NOW)).toEqual(['b 7']);
  // Nobody did: that is no word of any.
  now += 60 * SECOND;
  expect((await evidence.lateServers(NOW)).toSorted()).toEqual(['a 7', 'b 7']);
  await a();
  await b();
  expect(await evidence.lateServers(NOW)).toEqual([]);
  now += 60 * SECOND;
  await a();
  // Silent before anything that is asked about.
  expect(await evidence.lateServers(now)).toEqual([]);
  // Live then, though it has told nothing of itself since.
  expect(await evidence.lateServers(now - 50 * SECOND)).toEqual(['b 7']);
  await registry.servers.leave('b');
  expect(await evidence.lateServers(NOW)).toEqual([]);
});

it('are not waited for where they are known to have died, which is seen on this machine', async () => {
  const registry = await app.registry();
  const evidence = rolloutEvidence(app, await openMinutes(await app.database(), app.clock), registry);
  const { pid: dead } = spawnSync('true');
  for (const [server, space, pid] of [
    ['killed', pidSpace(), dead],
    ['hung', pidSpace(), process.pid],
    ['elsewhere', 'other', dead],
  ] as const) {
    const state = serverState({ machine: server, pid, pidSpace: space, startedMicros: NOW });
    await registry.servers.report(server, state);
  }
  now += 60 * SECOND;
  expect((await evidence.lateServers(NOW)).toSorted()).toEqual([`elsewhere ${dead}`, `hung ${process.pid}`]);
});
