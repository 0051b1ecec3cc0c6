// Runs from their pipelines to their ends, whose functions run in this process; what processes do is held by the contract of executors.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { type CancelledRun, cancelRun, diffRuns, getRun, listRuns } from '../../src/orchestrator/index.ts';
import { rerunFrom, resumeRun, runPipeline, whyStep } from '../../src/orchestrator/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { until } from '../support/executor-world.ts';
import { ownProject } from '../support/opened.ts';
import { openPipelineProject, type PipelineProject } from '../support/pipeline-project.ts';
import { fullIt } from '../support/tier.ts';

/** A project whose pipelines are this text, after the imports that each needs; `mark(line)` appends to a file. */
async function project(
  text: string,
  files: Record<string, string> = {},
  overrides: Parameters<typeof openPipelineProject>[1] = {},
): Promise<PipelineProject> {
  const source = `
    import { appendFileSync, readFileSync, existsSync } from 'node:fs';
    import { grid, pipeline, python, range, task, t, registerModel, trainingSet } from 'headrace';
    const marks = '__PROJECT__/marks.txt';
    const mark = (line: unknown) => appendFileSync(marks, line + '\\n');
    const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    ${text}`;
  return await ownProject({ 'pipelines.ts': source, ...files }, { isInline: true, ...overrides });
}

/** As another process has it: what that writes is heard of at once. */
async function fromElsewhere({ directory, deps }: PipelineProject): Promise<PipelineProject['deps']> {
  const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);
  onTestFinished(() => database.close());
  return { ...deps, database };
}

/**
 * A run that waits in its only step until there is a file `go`; gives it once its task runs. A task of a cancelled run goes on in this
 * process, until its project is gone at the latest.
 */
async function waiting(name: string) {
  const made = await project(`
    const p = pipeline('${name}');
    p.step('a', task(async () => { mark('a'); while (existsSync('__PROJECT__') && !existsSync('__PROJECT__/go')) await sleep(20); return 1; }));
    export default p;`);
  let id = '';
  const running = runPipeline(made.deps, { pipeline: name, onStart: (started) => (id = started) });
  await until(() => marksOf(made).length === 1);
  return { made, id, running, go: () => writeFileSync(join(made.directory, 'go'), '') };
}

const withProcesses = (text: string, files: Record<string, string> = {}): Promise<PipelineProject> =>
  project(text, files, { isInline: false });

function marksOf({ directory }: PipelineProject): string[] {
  const file = join(directory, 'marks.txt');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

describe('a pipeline', () => {
  it('runs steps after their needs and hands them the results by name', async () => {
    const made = await project(`
      const p = pipeline('sum', { params: { base: t.int32().default(10), name: t.string() } });
      const a = p.step('a', task((_needs, { params }) => ({ value: params.base, name: params.name })));
      const b = p.step('b', task(({ first }) => first.value + 1), { needs: { first: a } });
      p.step('c', task(({ first, second }) => [first.name, first.value + second]), { needs: { first: a, second: b } });
      export default p;`);
    const run = await runPipeline(made.deps, { pipeline: 'sum', params: { base: '5', name: '7' } });
    expect(run.state).toBe('succeeded');
    expect(run.params).toEqual({ base: 5, name: '7' });
    expect(run.steps.map((step) => step.result)).toEqual([{ value: 5, name: '7' }, 6, ['7', 11]]);
    expect((await listRuns(made.deps)).map(({ id, state }) => [id, state])).toEqual([[run.id, 'succeeded']]);
  });

  it('gives the results of a foreach in order, over items, grids, ranges and a result', async () => {
    const made = await project(`
      const p = pipeline('each');
      const items = p.step('items', task((_n, { item, index }) => sleep(index === 0 ? 150 : 0).then(() => item + index)), { foreach: ['x', 'y', 'z'] });
      p.step('grid', task((_n, { item }) => item), { foreach: grid({ a: [1, 2], b: ['p', 'q'] }) });
      p.step('range', task((_n, { item }) => item), { foreach: range(3, 6) });
      p.step('result', task((_n, { item }) => item.toUpperCase()), { foreach: items });
      p.step('none', task(() => 1), { foreach: [] });
      export default p;`);
    const run = await runPipeline(made.deps, { pipeline: 'each' });
    const results = Object.fromEntries(run.steps.map((step) => [step.name, step.result]));
    expect(results).toEqual({
      items: ['x0', 'y1', 'z2'],
      grid: [1, 2].flatMap((a) => ['p', 'q'].map((b) => ({ a, b }))),
      range: [3, 4, 5],
      result: ['X0', 'Y1', 'Z2'],
      none: [],
    });
  });

  it('hands the models of a foreach to registerModel, with their metrics and the training set before them', async () => {
    const made = await project(`
      import { entity, parquet, featureView, latest, featureService, model } from 'headrace';
      const shop = entity('shop', { keys: { shop: t.string() } });
      const sales = parquet('sales', { path: 'x.parquet', columns: { shop: t.string(), at: t.timestamp(), amount: t.float64() }, eventTime: 'at' });
      const view = featureView('shop_sales', { entity: shop, source: sales, features: { last: latest('amount') } });
      const service = featureService('s', [view]);
      const m = model('m', { features: service, outputs: { score: t.float32() } });
      export { shop, sales, view, service, m };
      const p = pipeline('train');
      const data = p.step('data', trainingSet({ service, spine: 'spine.parquet', label: 'y' }));
      const fit = p.step('fit', task((_n, { item }) => ({ auc: item / 4, kind: 'k', files: { 'm.onnx': { sha256: String(item).repeat(64) } } })), { needs: { data }, foreach: [1, 2] });
      p.step('register', registerModel(m), { needs: { fit } });
      export default p;`);
    const run = await runPipeline(made.deps, { pipeline: 'train' });
    expect(run.steps[2]?.result).toEqual({
      model: 'm',
      candidates: [
        { artifact: '1'.repeat(64), metrics: { auc: 0.25 }, trainingSet: 'ts-1' },
        { artifact: '2'.repeat(64), metrics: { auc: 0.5 }, trainingSet: 'ts-1' },
      ],
    });
  });

  it('refuses unknown pipelines and parameters before anything runs', async () => {
    const made = await project(
      `const p = pipeline('one', { params: { seed: t.int32().default(7) } }); p.step('a', task(() => 1)); export default p;`,
    );
    const run = (pipeline: string, params = {}) => expect(runPipeline(made.deps, { pipeline, params })).rejects;
    const unknown = /there is no pipeline "on".*Did you mean "one"\? One that is new counts once `headrace apply`/;
    await run('on').toThrow(unknown);
    await run('one', { sed: 1 }).toThrow(/takes seed/);
    await run('one', { seed: 'x' }).toThrow(/expected int32, got string "x"/);
    expect(await listRuns(made.deps)).toEqual([]);
  });
});

describe('a step that fails', () => {
  // twin: test/integration/orchestrator-cli.test.ts > runs, lists, shows, logs, resumes and refuses, with documented exit codes
  // twin: test/property/pipeline-engine.test.ts > that stops at a failure has done no other work than one that goes on, and what runs after all
  fullIt('fails the run with its reason and the end of its log, once what ran beside it has finished', async () => {
    const made = await withProcesses(
      `const p = pipeline('bad');
       p.step('bad', python('bad.py'), { retry: 1 });
       // It outlasts both attempts, however slow the machine: the second one's time to end is the one thing assumed.
       const tries = '__PROJECT__/tries.txt';
       const triedTwice = () => existsSync(tries) && readFileSync(tries, 'utf8').length === 2;
       const other = p.step('other', task(async () => {
         while (!triedTwice()) await sleep(20);
         await sleep(1500);
         mark('other');
         return 1;
       }));
       p.step('after', task(() => mark('after')), { needs: { other } });
       export default p;`,
      { 'bad.py': 'open("__PROJECT__/tries.txt", "a").write("x")\nprint("about to divide")\n1 / 0' },
    );
    const failed = runPipeline(made.deps, { pipeline: 'bad' });
    const why = /step "bad" failed after 2 attempts: exit code 1[^]*about to divide[^]*ZeroDivisionError/;
    await expect(failed).rejects.toThrow(why);
    await expect(failed).rejects.toMatchObject({ code: 'HR_STEP_FAILED' });
    const [run] = await listRuns(made.deps);
    expect(run?.state).toBe('failed');
    expect(marksOf(made)).toEqual(['other']);
  });

  // twin: test/unit/orchestrator-failure-tail.test.ts > the error of a run has the end of a log: %s
  // twin: test/integration/orchestrator-engine.test.ts > that failed goes on from the failed step when resumed
  fullIt('tells the end of what the newest attempt printed once it was resumed', async () => {
    const script =
      'import os\nopen("__PROJECT__/tries.txt", "a").write("x")\nraise RuntimeError("%d" % os.path.getsize("__PROJECT__/tries.txt"))';
    const text = `const p = pipeline('twice'); p.step('bad', python('bad.py')); export default p;`;
    const { deps } = await withProcesses(text, { 'bad.py': script });
    const first = /exit code 1: RuntimeError: 1\n[^]*RuntimeError: 1\n/;
    await expect(runPipeline(deps, { pipeline: 'twice' })).rejects.toThrow(first);
    const [run] = await listRuns(deps);
    const second = /exit code 1: RuntimeError: 2\n[^]*RuntimeError: 2\n/;
    await expect(resumeRun(deps, run?.id ?? '')).rejects.toThrow(second);
  });

  it('starts nothing more once a foreach has no array to run over', async () => {
    const made = await project(
      `const p = pipeline('shape');
       const one = p.step('one', task(() => 5));
       p.step('each', task(() => 1), { foreach: one });
       p.step('waits', task(() => mark('started')), { needs: { one } });
       export default p;`,
    );
    await expect(runPipeline(made.deps, { pipeline: 'shape' })).rejects.toThrow(/needs an array from it, got number/);
    expect(marksOf(made)).toEqual([]);
  });
});

describe('a run', () => {
  it('that failed goes on from the failed step when resumed', async () => {
    const made = await project(`
      const p = pipeline('fixable');
      const a = p.step('a', task(() => { mark('a'); return 1; }));
      p.step('b', task(() => { mark('b'); if (!existsSync('__PROJECT__/marks.txt') || readFileSync(marks, 'utf8').split('b').length < 3) throw new Error('broken'); return 2; }), { needs: { a } });
      export default p;`);
    await expect(runPipeline(made.deps, { pipeline: 'fixable' })).rejects.toThrow(/broken/);
    const [run] = await listRuns(made.deps);
    const resumed = await resumeRun(made.deps, run?.id ?? '');
    expect(resumed.steps.map((step) => step.result)).toEqual([1, 2]);
    expect(marksOf(made)).toEqual(['a', 'b', 'b']);
    expect((await resumeRun(made.deps, resumed.id)).state).toBe('succeeded');
    expect(marksOf(made)).toEqual(['a', 'b', 'b']);
  });

  it('can be cancelled from elsewhere, and may be resumed later', async () => {
    const { made, id, running, go } = await waiting('cancelled');
    const told = { wasRunning: true, state: 'running', mayRunAt: [] };
    expect(await cancelRun(await fromElsewhere(made), id)).toMatchObject(told);
    expect((await running).state).toBe('cancelled');
    expect(await cancelRun(made.deps, id)).toMatchObject({ wasRunning: false, state: 'cancelled', endedProcesses: 0 });
    go();
    expect((await resumeRun(made.deps, id)).state).toBe('succeeded');
  });

  it('that is driven is waited for by whoever wants to resume it', async () => {
    const { made, id, running, go } = await waiting('busy');
    const waits: string[] = [];
    const onWait = (sentence: string): void => {
      waits.push(sentence);
      go();
    };
    expect((await resumeRun({ ...made.deps, onWait }, id)).state).toBe('succeeded');
    expect((await running).state).toBe('succeeded');
    expect(marksOf(made)).toEqual(['a']);
    expect(waits).toEqual([expect.stringMatching(/^run .* is driven by .*; it is waited for$/)]);
  });

  it('that is cancelled while somebody waits to resume it stays cancelled, and they are told', async () => {
    const { made, id, running, go } = await waiting('contested');
    let cancelled: Promise<CancelledRun> | undefined;
    const elsewhere = await fromElsewhere(made);
    const onWait = (): void => void (cancelled = cancelRun(elsewhere, id));
    await expect(resumeRun({ ...made.deps, onWait }, id)).rejects.toThrow(
      /somebody asked to cancel it after this resume.*it is cancelled.*`headrace runs resume/,
    );
    expect(await cancelled).toMatchObject({ wasRunning: true });
    expect((await running).state).toBe('cancelled');
    expect((await getRun(made.deps, id)).state).toBe('cancelled');
    expect(marksOf(made)).toHaveLength(1);
    go();
    expect((await resumeRun(made.deps, id)).state).toBe('succeeded');
  });

  it('that goes on with other items gives those alone, runs none that is done, and says what became of each', async () => {
    const made = await project(`
      const p = pipeline('search');
      const fit = p.step('fit', task((_n, { item, index }) => {
        mark(item.lr + '/' + item.depth);
        if (item.depth === 5 && item.lr === 2) throw new Error('it diverges');
        return { ...item, index };
      }), { foreach: grid({ lr: [1, 2], depth: [3, 5] }) });
      p.step('best', task(({ fit }) => { mark('best'); return fit; }), { needs: { fit } });
      p.step('report', task(({ fit }) => { if (fit.length === 2) throw new Error('too few'); return fit.length; }), { needs: { fit } });
      export default p;`);
    await expect(runPipeline(made.deps, { pipeline: 'search', keepGoing: true })).rejects.toThrow(/diverges/);
    const id = (await listRuns(made.deps))[0]?.id ?? '';
    const goOn = async (from: string, to: string) => {
      const source = join(made.directory, 'repo', 'pipelines.ts');
      writeFileSync(source, readFileSync(source, 'utf8').replace(from, to));
      const told: string[] = [];
      const now = await openPipelineProject(made.directory, { isInline: true, onEdited: (line) => told.push(line) });
      onTestFinished(() => now.close());
      const error = await resumeRun(now.deps, id).then(
        () => undefined,
        (thrown: Error) => thrown.message,
      );
      return { error, told, run: await getRun(now.deps, id, { hasTasks: true }) };
    };
    // Every step that it had finished is done, and what it gave is of items that it has no more.
    const fewer = await goOn('depth: [3, 5]', 'depth: [3]');
    expect(fewer.error).toMatch(/too few/);
    expect(fewer.told).toEqual(['"fit": its foreach was changed', '"fit": items: 2 kept, 0 new, 2 dropped']);
    expect(marksOf(made).toSorted()).toEqual(['1/3', '1/5', '2/3', '2/5', 'best']);
    const { error, told, run } = await goOn('depth: [3]', 'depth: [4, 3]');
    expect([error, told]).toEqual([
      undefined,
      [
        '"fit": its foreach was changed',
        '"fit": items: 2 kept, 2 new, 0 dropped',
        '"best": it runs anew: "fit" gave another result since',
        '"report": it runs anew: "fit" gave another result since',
      ],
    ]);
    expect(marksOf(made).toSorted()).toEqual(['1/3', '1/4', '1/5', '2/3', '2/4', '2/5', 'best', 'best']);
    const fits = [
      { lr: 1, depth: 4, index: 0 },
      // As its task saw it: the place that its item had then.
      { lr: 1, depth: 3, index: 0 },
      { lr: 2, depth: 4, index: 2 },
      { lr: 2, depth: 3, index: 2 },
    ];
    expect(run).toMatchObject({
      state: 'succeeded',
      steps: [
        { name: 'fit', children: 4, counts: { succeeded: 4, failed: 0 }, result: fits },
        { name: 'best', result: fits },
        { name: 'report', result: 4 },
      ],
    });
    expect(run.steps[0]?.tasks?.map(({ index, number }) => [index, number])).toEqual([
      [0, 4],
      [1, 0],
      [2, 5],
      [3, 2],
    ]);
    expect(run.edits?.map(({ sentence }) => sentence)).toEqual([...fewer.told, ...told]);
  });

  it('says by which code each task was made, of those that it took from another run, too', async () => {
    const made = await project(`
      const p = pipeline('coded');
      p.step('fit', task((_n, { item }) => { if (item > 1) throw new Error('no'); return 'old'; }), { foreach: range(3) });
      export default p;`);
    await expect(runPipeline(made.deps, { pipeline: 'coded', keepGoing: true })).rejects.toThrow(/failed: .*no/);
    const id = (await listRuns(made.deps))[0]?.id ?? '';
    const source = join(made.directory, 'repo', 'pipelines.ts');
    const edited = readFileSync(source, 'utf8').replace(
      `if (item > 1) throw new Error('no'); return 'old';`,
      `return 'new';`,
    );
    writeFileSync(source, `${edited}\np.step('more', task(() => 1));`.replace(/(export default p;)(.*)$/s, '$2\n$1'));
    const now = await openPipelineProject(made.directory, { isInline: true });
    onTestFinished(() => now.close());
    await resumeRun(now.deps, id);
    const run = await getRun(now.deps, id, { hasTasks: true });
    const [fit] = run.steps;
    const [first, second, third] = (fit?.tasks ?? []).map(({ code }) => code);
    expect([first, third]).toEqual([expect.stringMatching(/^bundle:[0-9a-f]{64}$/), fit?.code]);
    expect(second).toBe(first);
    expect(first).not.toBe(third);
    const counts = [
      { code: first, from: null, tasks: 2 },
      { code: third, from: null, tasks: 1 },
    ];
    expect(fit?.codes).toHaveLength(2);
    expect(fit?.codes).toEqual(expect.arrayContaining(counts));
    expect(run.edits?.map(({ sentence }) => sentence)).toContain(
      '"fit": its code was changed; what has finished is kept',
    );
    const again = await rerunFrom(now.deps, id, { from: 'more' });
    expect(again.steps[0]?.codes).toEqual(expect.arrayContaining(counts.map((one) => ({ ...one, from: id }))));
    expect(again.steps[1]).not.toHaveProperty('codes');
    expect((await diffRuns(now.deps, id, again.id)).differences).toEqual([]);
  });

  it('is repeated from a step on, with what came before taken from it, and other parameters', async () => {
    const made = await project(`
      const p = pipeline('again', { params: { by: t.int32().default(2) } });
      const a = p.step('a', task(() => { mark('a'); return [1, 2]; }));
      const g = p.foreach('g', a, (q) => q.step('in', task((_n, { items, params }) => { mark('in'); return items.g * params.by; })));
      const b = p.step('b', task(({ g }) => { mark('b'); return g; }), { needs: { g } });
      p.step('c', task(({ b }) => { mark('c'); return b.length; }), { needs: { b } });
      p.step('d', task(() => { mark('d'); return 'd'; }), { needs: { a } });
      export default p;`);
    const first = await runPipeline(made.deps, { pipeline: 'again' });
    const ran = marksOf(made).length;
    const results = (run: typeof first) => Object.fromEntries(run.steps.map(({ name, result }) => [name, result]));
    expect(results(first)).toMatchObject({ g: [2, 4], b: [2, 4], c: 2, d: 'd' });
    let kept: readonly string[] = [];
    const onStart = (_id: string, steps: readonly string[]): void => void (kept = steps);
    const second = await rerunFrom(made.deps, first.id, { from: 'in', params: { by: '10' }, onStart });
    expect(results(second)).toMatchObject({ a: [1, 2], g: [10, 20], b: [10, 20], c: 2, d: 'd' });
    expect([...kept].sort()).toEqual(['a', 'd']);
    expect(marksOf(made).slice(ran).sort()).toEqual(['b', 'c', 'in', 'in']);
    const { steps } = await getRun(made.deps, second.id, { hasTasks: true });
    const copied = steps.find(({ name }) => name === 'a')?.tasks;
    expect(copied).toMatchObject([{ from: first.id, state: 'succeeded' }]);
    const third = await rerunFrom(made.deps, second.id, { from: 'c' });
    expect(results(third)).toEqual(results(second));
    expect(third.params).toEqual({ by: 10 });
    expect(marksOf(made).slice(ran + 4)).toEqual(['c']);
    expect((await diffRuns(made.deps, first.id, second.id)).differences).toEqual([
      { path: 'params.by', a: 2, b: 10 },
      { path: 'steps.b.result[0]', a: 2, b: 10 },
      { path: 'steps.b.result[1]', a: 4, b: 20 },
      { path: 'steps.g.result[0]', a: 2, b: 10 },
      { path: 'steps.g.result[1]', a: 4, b: 20 },
    ]);
    expect((await diffRuns(made.deps, second.id, third.id)).differences).toEqual([]);
    await expect(rerunFrom(made.deps, first.id, { from: 'e' })).rejects.toThrow(/has no step "e"/);
  });

  it('is let go at once where what it needs to begin cannot be opened, and says how to go on', async () => {
    const refusal = new HeadraceError('HR_CONFIG', 'no such cluster.');
    const clusters = { check: () => {}, open: () => Promise.reject(refusal) };
    const text = `const p = pipeline('far');
      p.step('a', task(() => 1), { executor: { kind: 'kubernetes', namespace: 'ml', image: 'i' } });
      export default p;`;
    const made = await project(text, {}, { clusters });
    const why =
      /^run \S+ was stopped: no such cluster\. Once that is mended, `headrace runs resume \S+` goes on from here$/;
    await expect(runPipeline(made.deps, { pipeline: 'far' })).rejects.toThrow(why);
    expect(await listRuns(made.deps)).toMatchObject([{ state: 'interrupted' }]);
  });

  it('takes what a cached step gave before for the same code, parameters, item and needs, and nothing else', async () => {
    const text = (factor: number): string => `
      const p = pipeline('kept', { params: { add: t.int32().default(1) } });
      const a = p.step('a', task((_n, { item, params }) => { mark('a' + item); return item * ${factor} + params.add; }), { foreach: range(4), cache: true });
      p.step('b', task(({ a }) => { mark('b'); return a; }), { needs: { a }, cache: true });
      p.step('c', task(({ a }) => { mark('c'); return a.length; }), { needs: { a } });
      export default p;`;
    const made = await project(text(2));
    const first = await runPipeline(made.deps, { pipeline: 'kept' });
    expect(marksOf(made).sort()).toEqual(['a0', 'a1', 'a2', 'a3', 'b', 'c']);
    const second = await runPipeline(made.deps, { pipeline: 'kept' });
    expect(second.steps.map(({ result }) => result)).toEqual(first.steps.map(({ result }) => result));
    // No row of it says more than what it gave.
    expect(marksOf(made).slice(6)).toEqual(['c']);
    const { steps } = await getRun(made.deps, second.id, { hasTasks: true });
    expect(steps[0]?.tasks).toMatchObject(Array.from({ length: 4 }, () => ({ from: first.id, attempt: 0 })));
    const why = await whyStep(made.deps, second.id, 'a');
    expect(why).toMatchObject({ copied: 4, comparedWith: first.id, differences: [] });
    const third = await runPipeline(made.deps, { pipeline: 'kept', params: { add: 2 } });
    const differences = [{ part: 'params.add', was: '1', is: '2' }];
    const compared = { step: 'a', copied: 0, children: 4, comparedWith: second.id, differences };
    expect(await whyStep(made.deps, third.id, 'a')).toEqual(compared);
    await expect(whyStep(made.deps, third.id, 'd')).rejects.toThrow(/has not opened a step "d"; it has opened a, b, c/);
    expect(marksOf(made).slice(7).sort()).toEqual(['a0', 'a1', 'a2', 'a3', 'b', 'c']);
  });

  it('takes what a cached step of a group gave, the last of an item too', async () => {
    const made = await project(`
      const p = pipeline('grouped');
      p.foreach('g', range(3), (q) => {
        const a = q.step('a', task((_n, { items }) => { mark('a' + items.g); return items.g; }), { cache: true });
        return q.step('b', task(({ a }) => { mark('b' + a); return a * 2; }), { needs: { a }, cache: true });
      });
      export default p;`);
    const first = await runPipeline(made.deps, { pipeline: 'grouped' });
    expect(marksOf(made).sort()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2']);
    const second = await runPipeline(made.deps, { pipeline: 'grouped' });
    expect(second.steps.map(({ result }) => result)).toEqual(first.steps.map(({ result }) => result));
    expect(marksOf(made)).toHaveLength(6);
  });
});
