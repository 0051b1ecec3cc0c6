// Real small disks that fill up under a run: each says what is full, leaves nothing running, and goes on once there is room.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { listRuns, resumeRun, runPipeline } from '../../src/orchestrator/index.ts';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { type ExecutorWorld, processesWith, until } from '../support/executor-world.ts';
import { ownProject, ownWorld } from '../support/opened.ts';
import { commitsOf } from '../support/run-commits.ts';
import { passLeases } from '../support/run-rows.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { fullIt } from '../support/tier.ts';

const probe = mountSmallDisk(1);
probe?.remove();
if (probe === undefined) skipBecause('runs on a full disk: this user may not mount a small one');

describe.skipIf(probe === undefined)('on a disk that fills up', { timeout: 60_000 }, () => {
  let disk: SmallDisk;
  let hog = '';
  beforeEach(() => {
    disk = mountSmallDisk(16) as SmallDisk; // it could be mounted above
    hog = join(disk.path, 'hog');
    // Once what was opened on it is closed.
    onTestFinished(() => disk.remove());
  });
  afterEach(() => freeDisk(hog));

  const worldOn = (part: 'workDirectory' | 'artifacts'): ExecutorWorld => {
    const world = ownWorld(part === 'workDirectory' ? { workDirectory: join(disk.path, 'work') } : {});
    if (part === 'artifacts') {
      mkdirSync(join(disk.path, 'artifacts'));
      symlinkSync(join(disk.path, 'artifacts'), join(world.directory, 'artifacts'));
    }
    return world;
  };

  describe('where tasks work', () => {
    it('a script that fills it fails by its own words; what it wrote makes room for the next', async () => {
      const world = worldOn('workDirectory');
      const command = 'head -c 100M /dev/zero > $HEADRACE_STEP_OUTPUT/all || { echo "it is full" >&2; exit 4; }';
      const [end] = await world.run({ kind: 'shell', command });
      expect(end).toMatchObject({ kind: 'failed', cause: 'exit', reason: 'exit code 4: it is full', isFinal: false });
      const next = 'head -c 8M /dev/zero > $HEADRACE_STEP_OUTPUT/some';
      await until(() => processesWith(world.driver).length <= 1);
      const runNext = async () => (await world.run({ kind: 'shell', command: next }))[0]?.kind;
      await expect.poll(runNext, { timeout: 10_000 }).toBe('succeeded');
    });

    // twin: test/integration/pipeline-disks.test.ts > a script that fills it fails by its own words; what it wrote makes room for the next
    fullIt.each(['script', 'function'])('what a %s prints is cut, and all tasks end as ever', async (what) => {
      const world = worldOn('workDirectory');
      const prints = 'module.exports = () => { console.log("x".repeat(3_000_000)); return 7; };';
      const action: StepAction =
        what === 'function'
          ? await world.task(prints)
          : { kind: 'shell', command: 'head -c 3000000 /dev/zero | tr "\\0" x' };
      // Its folders are there, and a process of the launcher's.
      await world.run(action);
      const launcher = world.executor.launcherPid;
      const go = join(world.directory, 'go');
      const waits = `while test ! -e ${go}; do sleep 0.02; done`;
      const beside = world.slice(await world.order({ kind: 'shell', command: waits }));
      await world.executor.submit([beside]);
      const printing = world.slice(await world.order(action, { params: { again: true } }), 3);
      await until(() => world.events.some(({ slice, kind }) => slice === beside.id && kind === 'started'));
      fillDisk(hog);
      await world.executor.submit([printing]);
      const ends = await world.ends(printing);
      // A script needs a file for its input; what is printed is no reason.
      const full = { kind: 'failed', reason: expect.stringMatching(/ENOSPC: no space left on device|HR_STORAGE_FULL/) };
      expect(ends).toMatchObject(Array(3).fill(what === 'script' ? full : { kind: 'succeeded' }));
      freeDisk(hog);
      writeFileSync(go, '');
      expect(await world.ends(beside)).toMatchObject([{ kind: 'succeeded' }]);
      expect(world.executor.launcherPid).toBe(launcher);
      expect(await world.run(action, { params: { third: true } })).toMatchObject([{ kind: 'succeeded' }]);
    });
  });

  it('where what tasks give is stored, an attempt fails by that, and the next is well once there is room', async () => {
    const world = worldOn('artifacts');
    const action = await world.task('module.exports = (_, { params }) => "x".repeat(200_000) + params.which;');
    const [first] = [world.slice(await world.order(action, { params: { which: 1 } }))];
    const command = 'head -c 1M /dev/urandom > $HEADRACE_STEP_OUTPUT/model.bin';
    const script = await world.order({ kind: 'shell', command });
    fillDisk(hog);
    const second = world.slice(script);
    await world.executor.submit([first, second]);
    const full = { kind: 'failed', cause: 'exit', isFinal: false, reason: expect.stringMatching(/HR_STORAGE_FULL/) };
    expect(await world.ends(first)).toMatchObject([full]);
    expect(await world.ends(second)).toMatchObject([full]);
    freeDisk(hog);
    const again = [world.slice(first.spec, 1, 2), world.slice(script, 1, 2)] as const;
    await world.executor.submit(again);
    expect(await world.ends(again[0])).toMatchObject([{ kind: 'succeeded' }]);
    expect(await world.ends(again[1])).toMatchObject([{ kind: 'succeeded' }]);
  });

  // twin: test/integration/pipeline-disks.test.ts > where what tasks give is stored, an attempt fails by that, and the next is well once there is room
  fullIt('where its rows are, a run says so, leaves nothing running, and goes on once there is room', async () => {
    const text = `import { pipeline, range, shell, task } from 'headrace';
const p = pipeline('p');
const before = p.step('before', task(() => 'x'.repeat(3000)), { foreach: range(500) });
const fan = p.step('fan', shell('touch __PROJECT__/began; sleep 0.1; head -c 3000 /dev/zero | tr "\\\\0" y | sed "s/.*/\\\\"&\\\\"/" > $HEADRACE_STEP_OUTPUT/result.json'), { foreach: range(40) });
p.step('end', task(({ before, fan }) => before.length + fan.length), { needs: { before, fan } });
export default p;`;
    const made = await ownProject(text, { registryUrl: `sqlite:${join(disk.path, 'registry.db')}` });
    const running = runPipeline(made.deps, { pipeline: 'p' });
    running.catch(() => {});
    await expect.poll(async () => (await listRuns(made.deps))[0]?.state, { timeout: 20_000 }).toBe('running');
    fillDisk(hog);
    await expect(running).rejects.toMatchObject({
      code: 'HR_STORAGE_FULL',
      message: expect.stringMatching(
        /^run .* was stopped: the disk of the SQLite database is full\. .*`headrace runs resume .*` goes on from here$/,
      ),
    });
    expect(processesWith(`${made.directory}/work`)).toEqual([]);
    freeDisk(hog);
    // That it is let go could not be written either, and this process lives on.
    await passLeases(made.deps.database, 15_001);
    const [run] = await listRuns(made.deps);
    const resumed = await resumeRun(made.deps, run?.id ?? '');
    expect(resumed).toMatchObject({ state: 'succeeded', steps: [{}, {}, { name: 'end', result: 540 }] });
    const { tasks, twice } = await commitsOf(made.deps, resumed.id);
    expect([tasks, twice]).toEqual([541, []]);
  });
});
