// Runs on AWS Batch through what goes wrong there, over the cheap one: each goes on or ends with a clear word, and none hangs.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { getRun, listRuns, resumeRun, runPipeline } from '../../src/orchestrator/index.ts';
import type { CheapBatchCounts, CheapBatchOrder } from '../support/cheap-batch.ts';
import { type CheapBatchProject, openCheapBatchProject } from '../support/cheap-batch-project.ts';
import { fullIt, rows } from '../support/tier.ts';

const QUICK = { lookMs: 50, missingMs: 300, settleMs: 100 };
const each = (definition: string, more = ''): string =>
  `const p = pipeline('p');
p.step('each', shell('true'), { foreach: range(40), executor: on('${definition}', 2)${more} });
export default p;`;

let project: CheapBatchProject | undefined;
afterEach(async () => {
  await project?.close();
  project = undefined;
  vi.unstubAllEnvs();
});

async function open(...given: Parameters<typeof openCheapBatchProject>): Promise<CheapBatchProject> {
  project = await openCheapBatchProject(given[0], { jobs: QUICK, ...given[1] });
  return project;
}
const stepOf = async ({ deps }: CheapBatchProject) => {
  const [run] = await listRuns(deps);
  const { state, steps } = await getRun(deps, run?.id ?? '');
  return { id: run?.id ?? '', state, counts: steps[0]?.counts };
};
const WHOLE = { state: 'succeeded', counts: { succeeded: 40, failed: 0 } };
const untilRunning = async ({ batch }: CheapBatchProject): Promise<CheapBatchCounts> =>
  await vi.waitFor(
    async () => {
      const counts = await batch.tell({ kind: 'count' });
      expect(counts.running).toBeGreaterThan(0);
      return counts;
    },
    { timeout: 20_000, interval: 20 },
  );

interface Failing {
  readonly what: string;
  readonly by: Extract<CheapBatchOrder, { kind: 'fail' }>['by'];
}
interface Lost {
  readonly what: string;
  readonly order: CheapBatchOrder;
}

describe('a run on AWS Batch', () => {
  it.each(
    rows<Failing>(
      [{ what: 'throttles', by: 'throttling' }],
      [
        { what: 'fails by itself', by: 503 },
        { what: 'fails by itself', by: 500 },
        { what: 'ends connections', by: 'reset' },
      ],
    ),
  )('goes on where Batch $what ($by), and makes each job once', async ({ by }) => {
    const made = await open(each('runs'), { childMs: 300 });
    await made.batch.tell({ kind: 'fail', calls: 4, by });
    const ended = runPipeline(made.deps, { pipeline: 'p' });
    await untilRunning(made);
    await made.batch.tell({ kind: 'fail', calls: 4, by });
    await ended;
    expect(await stepOf(made)).toMatchObject(WHOLE);
    expect(await made.batch.tell({ kind: 'count' })).toMatchObject({ jobsOfOneName: 1, children: 20 });
  });

  it('is left to be resumed where Batch stays away, and the resumed one takes what Batch has', async () => {
    const made = await open(each('runs'), { jobs: { ...QUICK, giveUpMs: 300 }, childMs: 300 });
    await made.batch.tell({ kind: 'fail', calls: 1000, by: 503 });
    await expect(runPipeline(made.deps, { pipeline: 'p' })).rejects.toMatchObject({
      code: 'HR_STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/AWS Batch does not answer ListJobs/),
    });
    await made.batch.tell({ kind: 'fail', calls: 0, by: 503 });
    await resumeRun(made.deps, (await stepOf(made)).id);
    expect(await stepOf(made)).toMatchObject(WHOLE);
  });

  it('asks Batch no more once it is closed', async () => {
    const made = await open(each('runs'));
    await made.batch.tell({ kind: 'fail', calls: 1000, by: 503 });
    const jobs = await made.deps.clusters.open({ kind: 'aws-batch', queue: 'queue', definition: 'runs' }, 'r', 'a');
    const found = expect(jobs.adopt([{ slice: 's', at: 'r' }])).rejects.toThrow(/AWS Batch does not answer ListJobs/);
    await jobs.close();
    await found;
  });

  it.each([
    {
      what: 'whose queue is disabled',
      definition: 'runs',
      isEnabled: false,
      told: /step "each"\[\d+\] failed: .*queue is in DISABLED state/,
    },
    {
      what: 'whose job definition is not there',
      definition: 'nobody',
      isEnabled: true,
      told: /step "each"\[\d+\] failed: .*no active job definition "nobody".*register it/,
    },
  ])('$what fails with what to do', async ({ definition, isEnabled, told }) => {
    const made = await open(each(definition));
    await made.batch.tell({ kind: 'queue', isEnabled });
    await expect(runPipeline(made.deps, { pipeline: 'p' })).rejects.toThrow(told);
    const { id, state } = await stepOf(made);
    expect(state).toBe('failed');
    if (isEnabled) return;
    await made.batch.tell({ kind: 'queue', isEnabled: true });
    await resumeRun(made.deps, id);
    expect(await stepOf(made)).toMatchObject(WHOLE);
  });

  it.each(
    rows<Lost>(
      [{ what: 'Batch knows of its jobs no more', order: { kind: 'forget' } }],
      [
        {
          what: 'Spot takes its machines',
          order: { kind: 'end', reason: 'Host EC2 (instance i-0f00ba4) terminated.' },
        },
        { what: 'somebody ends its jobs', order: { kind: 'end', reason: 'no longer wanted' } },
      ],
    ),
  )('tries again what is lost where $what, and counts no try of it', async ({ order }) => {
    const made = await open(each('runs', ', retry: 0'), { childMs: 1000 });
    const ended = runPipeline(made.deps, { pipeline: 'p' });
    await untilRunning(made);
    await made.batch.tell(order);
    await ended;
    expect(await stepOf(made)).toMatchObject(WHOLE);
    expect((await made.batch.tell({ kind: 'count' })).children).toBeGreaterThan(20);
  });

  // twin: test/integration/batch-faults.test.ts > tries again what is lost where $what, and counts no try of it
  fullIt('fails with the word of whoever ends its jobs, the fifth time', async () => {
    const made = await open(each('hangs'));
    const ended = runPipeline(made.deps, { pipeline: 'p' }).catch((error: unknown) => error);
    let isOver = false;
    void ended.then(() => (isOver = true));
    while (!isOver) {
      await made.batch.tell({ kind: 'end', reason: 'no longer wanted' });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(String(await ended)).toMatch(/step "each"\[\d+\] failed: .*no longer wanted/);
    expect(await stepOf(made)).toMatchObject({ state: 'failed' });
    expect((await made.batch.tell({ kind: 'count' })).running).toBe(0);
  });

  it('is told what a day ago had ended, though Batch knows of it no more', async () => {
    const made = await open(each('runs'));
    const spec = { kind: 'aws-batch', queue: 'queue', definition: 'runs' } as const;
    await runPipeline(made.deps, { pipeline: 'p' });
    const { id } = await stepOf(made);
    const counts = await made.batch.tell({ kind: 'forget' });
    const next = await made.deps.clusters.open(spec, id, 'next');
    const { objects } = made.deps;
    const slices: string[] = [];
    for await (const { key } of objects.list(`runs/${id}/slices/`))
      slices.push(key.slice(key.lastIndexOf('/') + 1, -'.json'.length));
    const told: string[] = [];
    next.watch((events) => told.push(...events.map(({ index, kind }) => `${index} ${kind}`)));
    const adopted = await next.adopt(slices.map((slice) => ({ slice, at: id })));
    expect(new Set(adopted)).toEqual(new Set(['running']));
    await vi.waitFor(() => expect(told).toHaveLength(40));
    expect(told.every((one) => one.endsWith('succeeded'))).toBe(true);
    expect((await made.batch.tell({ kind: 'count' })).jobs).toBe(counts.jobs);
    await next.close();
  });
});
