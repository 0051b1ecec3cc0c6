// What goes wrong around servers that take pushes: full disks under the log, the store and a run, an object store that is
// away, a damaged log. Nothing that was acknowledged is lost, nothing counts twice, and what is wrong has its name.
// twin: test/integration/full-disk.test.ts > a push is refused whole
// twin: test/integration/lmdb-full-disk.test.ts > refuses a write whole
// twin: test/unit/events-segments.test.ts > is shipped later when the store is away
// twin: test/unit/events-segments.test.ts > is damaged by a flipped bit anywhere
// twin: test/unit/events-segments.test.ts > tells a damaged or missing object of the store by its key

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { endSpares, type MachineProcess } from '../support/machines.ts';
import type { Traffic } from '../support/sales-traffic.ts';
import { openSalesWorld, type SalesWorld } from '../support/sales-world.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

let folder: string;
let disk: SmallDisk | undefined;
let mounted: string | undefined;
let world: SalesWorld;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-faults-'));
});
afterEach(async () => {
  if (mounted !== undefined) execFileSync('umount', ['-l', mounted]);
  mounted = undefined;
  await world?.close();
  disk?.remove();
  disk = undefined;
  rmSync(folder, { recursive: true, force: true });
});
afterAll(endSpares);

const open = async (online = join(folder, 'online')): Promise<SalesWorld> => {
  const variables = { HEADRACE_ONLINE_MAP_SIZE: '1GB' };
  world = await openSalesWorld({ online: `lmdb:${online}`, variables, askTimeoutMs: 800 });
  return world;
};

/** Files of a night: everything pushed so far may be in them. */
async function night(traffic: Traffic): Promise<void> {
  await traffic.file('kept');
  await traffic.file('nightly');
}

const failures = (traffic: Traffic, code: string) =>
  expect.poll(() => traffic.failures.get(code) ?? 0, { timeout: 15_000 });

/** Pushes are acknowledged again. */
async function goesOn(traffic: Traffic): Promise<void> {
  const before = traffic.acknowledged;
  await expect.poll(() => traffic.acknowledged, { timeout: 15_000 }).toBeGreaterThan(before + 10);
}

/** A run that does all its views; the writers live, and get the time that they need to answer. */
const runsWell = () => expect.poll(() => world.run('c', { askTimeoutMs: 5000 }), { timeout: 30_000 }).toMatch(/^done /);

async function expectExact(traffic: Traffic, servers: readonly string[]): Promise<void> {
  await world.during(() => traffic.checkNow(), traffic.stop());
  await world.makePeace(servers);
  await traffic.checkNow();
  expect(await world.run('c')).toMatch(/^done /);
  await traffic.checkEnd();
}

const hasDisks = mountSmallDisk(1);
hasDisks?.remove();
if (hasDisks === undefined) skipBecause('servers on full disks: this user may not mount a small one');

describe.skipIf(hasDisks === undefined)('a full disk', { timeout: 120_000 }, () => {
  const small = (megabytes: number): SmallDisk & { readonly hog: string } => {
    const one = mountSmallDisk(megabytes) as SmallDisk;
    disk = one;
    return { ...one, hog: join(one.path, 'hog') };
  };

  it('under the log refuses pushes, and delays the runs that ask for a cut', async () => {
    const { path, hog } = small(4);
    await open();
    const variables = { HEADRACE_PUSH_LOG_PATH: join(path, 'log') };
    await world.serve('a', { variables });
    const traffic = world.startTraffic();
    await night(traffic);
    await runsWell();
    fillDisk(hog);
    await world.during(
      () => traffic.checkNow(),
      (async () => {
        await failures(traffic, 'HR_STORAGE_FULL').toBeGreaterThan(10);
        await night(traffic);
        await world.run('c');
        freeDisk(hog);
        await goesOn(traffic);
        await runsWell();
      })(),
    );
    await world.during(() => traffic.checkNow(), traffic.stop());
    const [server] = [...world.machines.running];
    expect(await server?.end('SIGTERM')).toBe('0');
    await expectExact(traffic, []);
  });

  it('under the store leaves pushes waiting, and they count once it has space', async () => {
    const { path, hog } = small(24);
    await open(join(path, 'online'));
    await world.serve('a');
    const traffic = world.startTraffic({ nameLength: 400 });
    await night(traffic);
    await goesOn(traffic);
    fillDisk(hog);
    await world.during(
      () => traffic.checkNow(),
      (async () => {
        await failures(traffic, 'HR_ONLINE_UNAVAILABLE').toBeGreaterThan(10);
        await night(traffic);
        const named = /^failed HR_(STORAGE_FULL|MATERIALIZE_BUSY|BOUNDARY_HELD)/;
        await expect.poll(() => world.run('c'), { timeout: 20_000 }).toMatch(named);
        freeDisk(hog);
        await goesOn(traffic);
      })(),
    );
    await expectExact(traffic, ['a']);
  });

  it('under a run ends it with its name, and the next one with space does all of it', async () => {
    const { path, hog } = small(24);
    await open();
    await world.serve('a');
    const traffic = world.startTraffic();
    await night(traffic);
    await goesOn(traffic);
    const variables = { HEADRACE_OFFLINE_PATH: join(path, 'offline') };
    fillDisk(hog);
    expect(await world.run('c', { variables })).toMatch(/^failed HR_STORAGE_FULL /);
    freeDisk(hog);
    expect(await world.run('c', { variables })).toMatch(/^done /);
    await expectExact(traffic, ['a']);
  });
});

describe.skipIf(hasDisks === undefined)('an object store that takes nothing', { timeout: 120_000 }, () => {
  it('when a segment is cut delays coverage alone, also for a server that dies meanwhile', async () => {
    await open();
    const artifacts = world.sales.project.file('artifacts');
    const mount = (...words: string[]): void => void execFileSync('mount', words);
    mount('--bind', artifacts, artifacts);
    mounted = artifacts;
    const away = (): void => mount('-o', 'remount,bind,ro', artifacts);
    const back = (): void => mount('-o', 'remount,bind,rw', artifacts);
    await Promise.all([world.serve('a'), world.serve('b')]);
    const traffic = world.startTraffic();
    await night(traffic);
    await runsWell();
    await goesOn(traffic);
    away();
    await world.during(
      () => traffic.checkNow(),
      (async () => {
        await night(traffic);
        // It counts what was shipped, and no more.
        await world.run('c');
        await goesOn(traffic);
        await world.killServer('a');
        const again = await world.serve('a');
        await said(again, 'a settled log could not be ended yet');
        await goesOn(traffic);
        back();
        const log = await world.sales.app.log();
        const behind = async () => (await log.writers()).filter(({ cut, shipped }) => shipped < cut - 1);
        await expect.poll(behind, { timeout: 15_000 }).toEqual([]);
      })(),
    );
    await expectExact(traffic, ['a', 'b']);
  });
});

describe('a damaged log', { timeout: 120_000 }, () => {
  /** The segments of dead logs in a machine's folder, and those that were shipped. */
  const segmentsIn = (root: string): string[] =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.log'))
      .map((name) => join(root, name));
  const flip = (path: string): (() => void) => {
    const bytes = readFileSync(path);
    const flipped = Buffer.from(bytes);
    const at = Math.floor(bytes.length / 2);
    flipped[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(path, flipped);
    return () => writeFileSync(path, bytes);
  };

  it('on a machine is named and set apart: everyone else goes on, and once restored it is settled', async () => {
    await open();
    await Promise.all([world.serve('a'), world.serve('b')]);
    const traffic = world.startTraffic();
    let segment: string | undefined;
    // One that had just shipped all that it had leaves nothing to damage.
    for (;;) {
      await goesOn(traffic);
      await world.killServer('a');
      [segment] = segmentsIn(world.machines.place('a', 'push-log'));
      if (segment !== undefined) break;
      await world.serve('a');
    }
    const restore = flip(segment);
    await world.during(
      () => traffic.checkNow(),
      (async () => {
        const again = await world.serve('a');
        const named = await said(again, 'the event log of writer');
        expect(named).toContain('is damaged');
        expect(named).toContain(`${segment}, byte `);
        await goesOn(traffic);
        await night(traffic);
        // Files that get the same events can't be relied on yet: nobody knows what the damaged log holds.
        expect(await world.run('c')).toMatch(/^failed HR_BOUNDARY_HELD .*`headrace log forget`/);
        await goesOn(traffic);
        restore();
      })(),
    );
    await expectExact(traffic, ['a', 'b']);
  });

  it('with a torn end lost nothing that was acknowledged', async () => {
    await open();
    await world.serve('a');
    const traffic = world.startTraffic();
    await goesOn(traffic);
    await world.killServer('a');
    const [segment = ''] = segmentsIn(world.machines.place('a', 'push-log'));
    const bytes = readFileSync(segment);
    writeFileSync(segment, Buffer.concat([bytes, bytes.subarray(0, 7)]));
    const again = await world.serve('a');
    await said(again, 'ends inside an entry that was never acknowledged');
    await goesOn(traffic);
    await night(traffic);
    await expectExact(traffic, ['a']);
  });

  it('in the object store fails the run that reads it, by its key, and none that need not', async () => {
    await open();
    await world.serve('a');
    const traffic = world.startTraffic();
    await goesOn(traffic);
    await night(traffic);
    await runsWell();
    // The first segment also holds what came while the first cut ended: the next one's.
    await goesOn(traffic);
    expect(await world.run('c')).toMatch(/^done /);
    const objects = world.sales.project.file('artifacts');
    const [object = ''] = segmentsIn(join(objects, 'events'));
    const restore = flip(object);
    // It has read them before.
    await goesOn(traffic);
    expect(await world.run('c')).toMatch(/^done /);
    // One that has not.
    await goesOn(traffic);
    const failed = await world.run('d');
    expect(failed).toMatch(/^failed HR_LOG_DAMAGED /);
    expect(failed).toContain(object.slice(objects.length + 1));
    restore();
    expect(await world.run('d')).toMatch(/^done /);
    await expectExact(traffic, ['a']);
  });
});

/** The first warning of a server with these words. */
async function said(server: MachineProcess, words: string): Promise<string> {
  const find = () => server.said.find((line) => line.startsWith('warning') && line.includes(words));
  await expect.poll(find, { timeout: 15_000 }).toBeDefined();
  return find() ?? '';
}
