// The disk of the prediction log fills under rollouts of two servers: answers go out, guards read the minutes and not the log, what
// is not kept is counted, and versions that came meanwhile are in the log once there is room.
// twin: test/integration/monitoring-log-faults.test.ts > counts what is not kept, refuses outcomes, and goes on when there is room
// twin: test/integration/rollout-served.test.ts > is promoted step by step by what its servers count

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { ONE_NUMBER } from '../support/one-number.ts';
import { FAILS, openRolloutServers, type RolloutServers, SAME, STABLE } from '../support/rollout-servers.ts';
import { headraceJson } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { metricsOf, predict } from '../support/test-project.ts';

const FURTHER = 4;

const disk = mountSmallDisk(16);
if (disk === undefined) skipBecause('a rollout over a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('a rollout over a full disk of the log', { timeout: 60_000 }, () => {
  const root = disk?.path ?? '';
  const env = { HEADRACE_PREDICTION_LOG_PATH: join(root, 'log') };
  let world: RolloutServers;
  beforeAll(async () => {
    world = await openRolloutServers({ env });
  }, 90_000);
  afterAll(async () => {
    await world?.close();
    disk?.remove();
  });

  const metric = async (name: string): Promise<number> => {
    const texts = await Promise.all(world.servers.map(metricsOf));
    const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  const dropped = () => metric('headrace_prediction_log_dropped_total{reason="disk"}');
  const written = () => metric('headrace_prediction_log_written_total');
  const answered = (): number => world.answers.filter(({ status }) => status === 200).length;
  const logged = (columns: string) => {
    const words = ['logs', 'query', '--sql', `SELECT version, ${columns}`];
    return (headraceJson(world.project, words, env) as { rows: { version: number; n: number }[] }).rows;
  };

  it('is promoted by its evidence', async () => {
    world.ask();
    await expect.poll(written, { timeout: 10_000 }).toBeGreaterThan(0);
    fillDisk(join(root, 'hog'));
    const { id } = await world.start({ candidate: SAME, steps: [50, 100], hold: '1s', bake: '1s' });
    await world.until(id, ({ state }) => state === 'promoted');
    expect(world.answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await dropped()).toBeGreaterThan(0);
  });

  it('goes back by its evidence', async () => {
    world.failEvery = 6;
    const failing = await world.start({ candidate: FAILS, steps: [50, 100], hold: '10m' });
    const ended = await world.until(failing.id, ({ state }) => state === 'rolled_back');
    world.failEvery = 0;
    expect(ended.reason).toMatch(/^error_rate, allowed \+20%/);
  });

  it('is promoted to a version whose rows have a further column', async () => {
    const further = ONE_NUMBER.replace('{ x: t.float64() } }', '{ x: t.float64(), y: t.float64().optional() } }');
    world.project.write('feature_repo/shop.ts', further);
    headraceJson(world.project, ['apply', '--yes'], env);
    headraceJson(world.project, ['models', 'register', 'returns', 'given.onnx'], env);
    const { id } = await world.start({ candidate: FURTHER, steps: [50, 100], hold: '1s', bake: '1s' });
    await world.until(id, ({ state }) => state === 'promoted');
  });

  it('and all that was answered was written or counted as dropped; what came meanwhile is logged once there is room', async () => {
    await world.rest();
    const all = async (): Promise<number> => (await written()) + (await dropped());
    await expect.poll(all, { timeout: 10_000 }).toBe(answered());
    const before = await written();
    freeDisk(join(root, 'hog'));
    const rows = await world.during(async () => {
      world.ask();
      await expect.poll(written, { timeout: 10_000 }).toBeGreaterThan(before + 20);
      await world.rest();
    });
    expect(new Set(rows.map(({ version }) => version))).toEqual(new Set([FURTHER]));
    await expect.poll(written, { timeout: 10_000 }).toBe(before + rows.length);
    const kept = logged('count(*)::INTEGER AS n FROM predictions GROUP BY version ORDER BY version');
    expect(kept.map(({ version }) => version)).toEqual(expect.arrayContaining([STABLE, FURTHER]));
    expect(kept.reduce((sum, { n }) => sum + n, 0)).toBe(before + rows.length);
    expect((await predict({ url: world.servers[0]?.url ?? '' }, [{ x: 1, y: 7.5 }])).status).toBe(200);
    await expect.poll(written, { timeout: 10_000 }).toBe(before + rows.length + 1);
    const ofIt = logged("request->>'y' AS y FROM predictions WHERE request->>'y' IS NOT NULL");
    expect(ofIt).toMatchObject([{ version: FURTHER, y: '7.5' }]);
  });
});
