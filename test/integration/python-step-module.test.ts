// `from headrace_step import step` in Python steps: what it gives, what it writes, and what it refuses.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runPipeline } from '../../src/orchestrator/index.ts';
import { getBlob } from '../../src/storage/index.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { ownProject } from '../support/opened.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';
import { fullDescribe, isFull } from '../support/tier.ts';

const MODULES = fileURLToPath(new URL('../../python', import.meta.url));
const INPUT = {
  run: 'r1',
  pipeline: 'p',
  step: 'fit',
  index: 2,
  attempt: 1,
  params: { seed: 7 },
  item: { kind: 'boosting' },
  items: { country: 'de' },
  args: { power: 2 },
  needs: {
    data: { id: 'x', path: '/nowhere/set.parquet' },
    one: { files: { 'm.onnx': { sha256: 'a', path: '/m' } } },
    number: 3,
    parts: [{ files: { 'm.csv': { sha256: 'a', path: '/m' } } }, null],
  },
};

/** Runs lines of a script as a step would be, by the standard library alone. */
function ran(script: string, environment: Record<string, string> = {}) {
  const folder = folderOfTest();
  const output = join(folder, 'out');
  mkdirSync(output);
  writeFileSync(join(folder, 'input.json'), JSON.stringify(INPUT));
  const given = { HEADRACE_STEP_INPUT: join(folder, 'input.json'), HEADRACE_STEP_OUTPUT: output };
  const { status, stderr } = spawnSync('python3', ['-S', '-c', `from headrace_step import step\n${script}`], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', PYTHONPATH: MODULES, ...given, ...environment },
  });
  const written = readdirSync(output).includes('result.json');
  const result: unknown = written ? JSON.parse(readFileSync(join(output, 'result.json'), 'utf8')) : undefined;
  return { status, stderr, output, result };
}

/** Each in a process forked off one that has started: to start Python takes longer than what it does here. */
function ranAll(scripts: readonly string[]): readonly { readonly status: number; readonly stderr: string }[] {
  const folder = folderOfTest();
  writeFileSync(join(folder, 'input.json'), JSON.stringify(INPUT));
  writeFileSync(join(folder, 'scripts.json'), JSON.stringify(scripts));
  const program = `
import json, os, sys, traceback
ended = []
for at, script in enumerate(json.load(open("scripts.json"))):
    output = os.path.abspath("out%d" % at)
    os.mkdir(output)
    said = os.open(output + ".txt", os.O_CREAT | os.O_RDWR)
    pid = os.fork()
    if pid == 0:
        os.dup2(said, 2)
        os.environ["HEADRACE_STEP_OUTPUT"] = output
        code = 0
        try:
            exec("from headrace_step import step\\n" + script, {})
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ended.append({"status": status, "stderr": open(output + ".txt").read()})
print(json.dumps(ended))`;
  const { stdout, stderr } = spawnSync('python3', ['-S', '-c', program], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', PYTHONPATH: MODULES, HEADRACE_STEP_INPUT: join(folder, 'input.json') },
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

/** The input of a cached step. */
const WITHOUT_INDEX = `import json, os
given = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))
del given["index"]
os.environ["HEADRACE_STEP_INPUT"] += ".cached"
json.dump(given, open(os.environ["HEADRACE_STEP_INPUT"], "w"))
`;

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['step.metric("loss", float("nan"))', /ValueError: metric 'loss' is nan, which JSON .*: give None, or leave it out/],
  ['step.metric("loss", "low")', /TypeError: metric 'loss' is a number, got str/],
  ['step.metric("loss", True)', /TypeError: metric 'loss' is a number, got bool/],
  ['step.result({"a": [1, float("inf")]})', /ValueError: result\['a'\]\[1\] is inf/],
  ['step.result({"a": {1, 2}})', /TypeError: result\['a'\] is a set.*step\.file\(\.\.\.\)/],
  ['step.result({1: 2})', /TypeError: result has the key 1 \(int\); keys of JSON are texts/],
  ['step.result({"files": {}})', /ValueError: a result has no member "files"/],
  ['step.file("m")\nstep.result(3)', /TypeError: the step has files or metrics, so its result is a dict; got int/],
  ['step.result(3)\nstep.metric("a", 1)', /TypeError: the result is a int, and metrics are named in it/],
  ['step.file("../m")', /ValueError: a file of a step has a relative name/],
  ['step.file("result.json")', /ValueError: a file of a step has a relative name/],
  ['step.card(3)', /TypeError: a card is HTML, Markdown or a figure, got int/],
  ['step.path("data")', /ValueError: need 'data' has 0 files \(none\)/],
  ['step.path("one", "n.onnx")', /ValueError: need 'one' has no file 'n\.onnx'; it has m\.onnx/],
  ['step.path("dat")', /NotGiven: the step has no need 'dat'; it has data, one, number, parts\. Did you mean 'data'\?/],
  ['step.params["sed"]', /NotGiven: the run has no parameter 'sed'; it has seed\. Did you mean 'seed'\?/],
  ['step.args["x"]', /NotGiven: the step has no argument 'x'; it has power\n/],
  ['step.items["town"]', /NotGiven: the step is in no group 'town'; it has country\n/],
  [`${WITHOUT_INDEX}step.index`, /NotGiven: a cached step is not given its index: .* or write index: true\n/],
  ['step.table("number")', /ValueError: need 'number' has no table/],
  [
    'step.table("parts")',
    /need 'parts' has no table: .*a list of 2, as a `foreach` gives: take each of them by itself/,
  ],
  ['step.path("parts")', /ValueError: need 'parts' has 0 files .*It is a list of 2/],
  ['step.path(step.needs["parts"][0], "n")', /ValueError: the result has no file 'n'; it has m\.csv/],
  [
    'import datetime\nstep.result(datetime.date(2026, 1, 2))',
    /TypeError: result is a date, .*: give .* value\.isoformat\(\)/,
  ],
  [
    'step.table("data")',
    /ImportError: step\.table\(\.\.\.\) reads by pandas \(with pyarrow\), polars or pyarrow, and none/,
  ],
  ['step.table("data", "rows")', /ValueError: step\.table\(\.\.\.\) gives pandas, polars, arrow, got 'rows'/],
];
const nowhere = { HEADRACE_STEP_INPUT: '', HEADRACE_STEP_OUTPUT: '' };
let refusals: ReturnType<typeof ranAll> | undefined;

describe('the module of Python steps', () => {
  it('in a run gives what the step is given, and keeps result, metrics, files and cards', async () => {
    const project = await ownProject({
      'p.ts': `
          import { pipeline, python, t, task } from 'headrace';
          const p = pipeline('train', { params: { seed: t.int32().default(7) } });
          const data = p.step('rows', task(() => ({ rows: 3 })));
          const fit = p.step('fit', python('fit.py', { args: { power: 2 } }), { needs: { data }, foreach: ['a', 'b'] });
          p.step('read', python('read.py'), { needs: { fit }, env: { PYTHONPATH: '__PROJECT__/own' } });
          export default p;`,
      'fit.py': `
from headrace_step import step
assert (step.pipeline, step.name, step.attempt) == ("train", "fit", 1), step.name
step.metric("auc", step.params["seed"] ** step.args["power"] / 100 + step.index)
step.file("parts/model.txt").write_text("model " + step.item)
step.card("# Fit " + step.item)
step.card("<p>plot</p>")
step.result({"rows": step.needs["data"]["rows"], "metrics": {"loss": 1}})
`,
      'read.py': `
from headrace_step import step
import os
assert os.environ["PYTHONPATH"].startswith("__PROJECT__/own"), os.environ["PYTHONPATH"]
fits = step.needs["fit"]
texts = [open(fit["files"]["parts/model.txt"]["path"]).read() for fit in fits]
step.result({"texts": texts})
`,
    });
    const run = await runPipeline(project.deps, { pipeline: 'train' });
    expect(run.state, run.error ?? '').toBe('succeeded');
    const results = Object.fromEntries(run.steps.map(({ name, result }) => [name, result]));
    const [a, b] = results['fit'] as { metrics: object; files: Record<string, { sha256: string }> }[];
    expect(a).toMatchObject({ rows: 3, metrics: { loss: 1, auc: 0.49 } });
    expect(b?.metrics).toEqual({ loss: 1, auc: 1.49 });
    expect(Object.keys(a?.files ?? {}).toSorted()).toEqual(['card.html', 'card.md', 'parts/model.txt']);
    const card = await getBlob(project.deps.objects, a?.files['card.md']?.sha256 ?? '');
    expect(Buffer.from(card).toString()).toBe('# Fit a');
    expect(results['read']).toEqual({ texts: ['model a', 'model b'] });
  }, 60_000);

  it('writes nothing where nothing is given, and the last result where it is given again', () => {
    const shows = ran('print(step.run, step.items["country"], step.path("one"))');
    expect(shows).toMatchObject({ status: 0, result: undefined });
    const twice = ran('step.result(1)\nstep.result([step.index, None, True, "é", 2**60])').result;
    expect(twice).toEqual([2, null, true, 'é', 2 ** 60]);
    expect(ran('step.metric("n", 3)').result).toEqual({ metrics: { n: 3 } });
    expect(ran('print(step.params.get("sed", 3), step.path(step.needs["parts"][0]))').stderr).toBe('');
    const left = (script: string) => readdirSync(ran(script).output).toSorted();
    expect(left('step.card("<p>", "plot.html")\nstep.card("<p>", "plot")')).toEqual(['plot-2.html', 'plot.html']);
    expect(left('for text in "abc": step.card(text)')).toEqual(['card-2.md', 'card-3.md', 'card.md']);
    // As a figure of matplotlib does, off screen.
    const figure =
      'class Figure:\n def _repr_html_(self): return None\n def savefig(self, to, format): to.write("<?xml?><svg>")\n';
    const { output } = ran(`${figure}step.card(Figure())`);
    expect(readFileSync(join(output, 'card.html'), 'utf8')).toBe('<svg>');
  });

  it('fails where its result cannot be written as it ends, and says why last', () => {
    const { status, stderr } = ran(`
import os
step.metric("auc", 0.8)
os.environ["HEADRACE_STEP_OUTPUT"] = "/nowhere"
`);
    expect(status).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^FileNotFoundError: .*result\.json/);
  });

  it('a process that is forked off writes no result', () => {
    const ended = ran(`
import os, sys
step.result("parent")
pid = os.fork()
if pid == 0:
    step._result = "child"
    sys.exit(0)
os.waitpid(pid, 0)`);
    expect(ended).toMatchObject({ status: 0, result: 'parent' });
  });

  it.each(REFUSED.map((row, at) => [...row, at] as const))('%s is refused', (_, sentence, at) => {
    refusals ??= ranAll(REFUSED.map(([script]) => script));
    expect(refusals[at]).toEqual({ status: 1, stderr: expect.stringMatching(sentence) });
  });

  it('outside of a step says so when it is asked for something', () => {
    expect(ran('pass', nowhere).status).toBe(0);
    expect(ran('step.params', nowhere).stderr).toMatch(
      /NotAStep: this process is no step of a Headrace run: .*step\.by_hand\(params=/,
    );
    expect(ran('step.result(1)', nowhere).stderr).toMatch(/NotAStep: .*HEADRACE_STEP_OUTPUT is not set/);
  });
});

describe('a script that is run by hand', () => {
  const script = `
step.by_hand(params={"seed": 3}, item="a", needs={"data": "rows.csv"}, output=OUT)
step.file("model.txt").write_text(step.item * step.params["seed"])
step.result({"seed": step.params["seed"], "run": step.run, "needs": dict(step.needs)})`;

  it('takes what it is given there, and leaves what it gives in a folder', () => {
    const folder = folderOfTest();
    const out = join(folder, 'made', 'here');
    const ended = ran(`OUT = ${JSON.stringify(out)}${script}`, nowhere);
    expect(ended.stderr).toBe('');
    expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toEqual({
      seed: 3,
      run: 'by-hand',
      needs: { data: 'rows.csv' },
    });
    expect(readFileSync(join(out, 'model.txt'), 'utf8')).toBe('aaa');
  });

  it('in a run goes by what the run gives', () => {
    const ended = ran(`OUT = "/nowhere"${script.replace('step.item *', '"b" *')}`);
    expect(ended).toMatchObject({ status: 0, result: { seed: 7, run: 'r1' } });
    expect(readFileSync(join(ended.output, 'model.txt'), 'utf8')).toBe('bbbbbbb');
  });
});

const packages = isFull
  ? bringPackages('step-tables', ['pandas==3.1.1', 'polars==2.1.0', 'pyarrow==26.0.1', 'mypy==2.4.1'])
  : undefined;
if (typeof packages === 'string') skipBecause(`tables of Python steps: ${packages}`);

// twin: test/integration/python-step-module.test.ts > in a run gives what the step is given, and keeps result, metrics, files and cards
fullDescribe.skipIf(typeof packages === 'string')('tables and types of the module', () => {
  const bin = typeof packages === 'string' ? '' : (packages?.bin ?? '');
  const python = (args: readonly string[], environment: Record<string, string> = {}) =>
    spawnSync(join(bin, 'python'), args, { encoding: 'utf8', env: { PATH: bin, PYTHONPATH: MODULES, ...environment } });

  it('come as pandas, polars or Arrow, whole or some columns, from Parquet and CSV', () => {
    const folder = folderOfTest();
    const file = (name: string) => join(folder, name);
    writeFileSync(file('rows.csv'), 'a,b\n1,x\n2,y\n');
    const needs = {
      data: { path: file('rows.parquet') },
      text: file('rows.csv'),
      kept: { files: { 'rows.csv': { sha256: 'c', path: file('rows.csv') }, 'm.onnx': { sha256: 'd', path: '/m' } } },
    };
    writeFileSync(file('input.json'), JSON.stringify({ ...INPUT, needs }));
    const script = `
import pandas, polars, pyarrow
from headrace_step import step
pandas.read_csv(${JSON.stringify(file('rows.csv'))}).to_parquet(${JSON.stringify(file('rows.parquet'))})
for need in step.needs:
    assert step.table(need).equals(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})), need
    assert step.table(need, "polars").rows() == [(1, "x"), (2, "y")], need
    arrow = step.table(need, "arrow", columns=["b"])
    assert isinstance(arrow, pyarrow.Table) and arrow.to_pydict() == {"b": ["x", "y"]}, need
step.card(step.table("text"))
import numpy
step.metric("auc", numpy.float32(0.5))
step.metric("rows", numpy.int64(3))
step.metric("loss", numpy.array(0.25))
for wrong in (numpy.bool_(True), numpy.arange(3)):
    try:
        step.metric("wrong", wrong)
        raise SystemExit("took " + repr(wrong))
    except TypeError as error:
        assert "metric 'wrong' is" in str(error), error
try:
    step.result({"losses": numpy.array([0.5, numpy.nan])})
    raise SystemExit("took NaN")
except ValueError as error:
    assert "result['losses'][1] is nan" in str(error), error
assert step.table(step.needs["data"], "polars").rows() == [(1, "x"), (2, "y")]
step.result({"array": numpy.arange(3), "one": numpy.int64(4), "series": step.table("data")["a"]})
`;
    const ended = python(['-c', script], { HEADRACE_STEP_INPUT: file('input.json'), HEADRACE_STEP_OUTPUT: folder });
    expect(ended.stderr).toBe('');
    const result: unknown = JSON.parse(readFileSync(file('result.json'), 'utf8'));
    expect(result).toEqual({ array: [0, 1, 2], one: 4, series: [1, 2], metrics: { auc: 0.5, rows: 3, loss: 0.25 } });
    expect(readFileSync(file('result.json'), 'utf8')).toContain('"rows": 3,');
    expect(readFileSync(file('card.html'), 'utf8')).toMatch(/<table/);
  }, 60_000);

  it('are typed: an editor knows what each call gives; the module itself holds by the strictest rules', () => {
    const folder = folderOfTest();
    const program = join(folder, 'typed.py');
    const lines = ['table("data", "polars")', 'params', 'file("a")'].map((call) => `reveal_type(step.${call})`);
    writeFileSync(program, ['from headrace_step import step', ...lines, 'step.metric("auc", "high")\n'].join('\n'));
    const strict = ['-m', 'mypy', '--strict', '--ignore-missing-imports', '--cache-dir', join(folder, 'cache')];
    const { stdout } = python([...strict, program, join(MODULES, 'headrace_step')]);
    expect(stdout).toMatch(/Revealed type is "polars\.dataframe\.frame\.DataFrame"/);
    expect(stdout).toMatch(/Revealed type is "typing\.Mapping\[(builtins\.)?str, Any\]"/);
    expect(stdout).toMatch(/Revealed type is "pathlib\.Path"/);
    const errors = stdout.split('\n').filter((line) => line.includes('error:'));
    const metric =
      /typed\.py:5: .*Argument 2 to "metric" of "Step" has incompatible type "str"; expected "SupportsFloat"/;
    expect(errors).toEqual([expect.stringMatching(metric)]);
  }, 180_000);

  it('the module installs as a package of its own, for an editor', () => {
    const folder = folderOfTest();
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder, MODULES];
    const installed = spawnSync(join(bin, 'python'), pip, { encoding: 'utf8' });
    expect(installed.status, installed.stderr).toBe(0);
    const where =
      'import headrace_step, importlib.metadata as m; print(headrace_step.__file__, m.version("headrace-step"))';
    const { version } = JSON.parse(readFileSync(join(MODULES, '../package.json'), 'utf8')) as { version: string };
    expect(python(['-c', where], { PYTHONPATH: folder }).stdout).toBe(
      `${join(folder, 'headrace_step', '__init__.py')} ${version}\n`,
    );
    expect(readdirSync(join(folder, 'headrace_step'))).toContain('py.typed');
  }, 180_000);
});
