// `headrace run` and `headrace runs` as a user types them.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { newOwner } from '../../src/orchestrator/lease.ts';
import { removeProject, writeRepository } from '../support/pipeline-project.ts';
import { headrace as inProject } from '../support/serving-project.ts';

let directory = '';

const headrace = (...args: readonly string[]) => inProject({ directory }, args);

beforeAll(() => {
  directory = writeRepository({
    'p.ts': `
      import { pipeline, task, t } from 'headrace';
      const p = pipeline('sum', { params: { to: t.int64().default(3n) } });
      const list = p.step('list', task((_n, { params }) => Array.from({ length: Number(params.to) }, (_, i) => i)));
      const square = p.step('square', task((_n, { item }) => { console.log('squaring', item); if (item > 3) throw new Error('too much'); return item * item; }), { foreach: list });
      p.step('sum', task(({ square }) => square.reduce((a, b) => a + b, 0)), { needs: { square } });
      export default p;`,
    'slow.ts': `
      import { pipeline, shell } from 'headrace';
      const p = pipeline('slow');
      p.step('wait', shell('true'));
      export default p;`,
    'pages.ts': `
      import { pipeline, shell, task } from 'headrace';
      const p = pipeline('pages');
      const write = 'mkdir "$HEADRACE_STEP_OUTPUT/more" && echo "# $HEADRACE_STEP" > "$HEADRACE_STEP_OUTPUT/card.md" && echo x > "$HEADRACE_STEP_OUTPUT/rows.csv"';
      const one = p.step('one', shell(write + ' && echo "<p>plot</p>" > "$HEADRACE_STEP_OUTPUT/more/plot.html"'));
      p.step('many', shell(write), { foreach: ['a', 'b'] });
      p.step('passed', task((needs) => needs.one), { needs: { one } });
      p.step('forged', task(() => ({ rows: 1, nested: { files: { 'x.md': { sha256: 'no' } } } })));
      export default p;`,
  });
  writeFileSync(join(directory, 'headrace.config.ts'), `export default { project: 'test', repo: './repo' };`);
});

afterAll(() => removeProject(directory));

it('runs, lists, shows, logs, resumes and refuses, with documented exit codes', () => {
  expect(headrace('run', 'sum').stderr).toMatch(/HR_NOTHING_APPLIED/);
  expect(headrace('apply').code).toBe(0);

  const ran = headrace('run', 'sum', '--param', 'to=4', '--json');
  expect(ran.code, ran.stderr).toBe(0);
  const run = JSON.parse(ran.stdout) as { id: string; state: string; steps: { result: unknown }[] };
  expect(run).toMatchObject({ state: 'succeeded', params: { to: 4 } });
  expect(run.steps.at(-1)?.result).toBe(14);

  const failed = headrace('run', 'sum', '--param', 'to=5');
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/HR_STEP_FAILED: run .* step "square"\[4\] failed: Error: too much[^]*squaring 4/);

  const listed = JSON.parse(headrace('runs', 'list', '--json').stdout) as { runs: { id: string; state: string }[] };
  expect(listed.runs.map(({ state }) => state)).toEqual(['failed', 'succeeded']);
  expect(headrace('runs', 'show', run.id).stdout).toMatch(/sum +succeeded +1\/1 +\S+ s +14/);
  expect(headrace('runs', 'logs', run.id, '--step', 'square').stdout).toMatch(/── square\[0\], attempt 1\nsquaring 0/);
  expect(headrace('runs', 'resume', run.id).code).toBe(0);
  expect(headrace('runs', 'cancel', run.id).stdout).toMatch(/had ended: succeeded/);
  const refused = (code: number, stderr: RegExp) => ({ code, stderr: expect.stringMatching(stderr) });
  expect(headrace('runs', 'show', 'nope')).toMatchObject(refused(1, /HR_UNKNOWN_RUN: there is no run "nope"/));
  expect(headrace('run', 'sum', '--param', 'to')).toMatchObject(refused(2, /--param takes name=value/));
}, 90_000);

it('names the pages that steps left for people, and writes them where it is told', () => {
  headrace('apply');
  const ran = headrace('run', 'pages', '--json');
  expect(ran.code, ran.stderr).toBe(0);
  const { id } = JSON.parse(ran.stdout) as { id: string };
  const cards = [
    ...['card.md', 'more/plot.html'].map((name) => ({ step: 'one', index: null, name })),
    ...[0, 1].map((index) => ({ step: 'many', index, name: 'card.md' })),
  ];
  expect(JSON.parse(headrace('runs', 'show', id, '--json').stdout)).toMatchObject({ cards });
  const told = headrace('runs', 'show', id).stdout;
  const shown = 'one card.md, one more/plot.html, many[0] card.md, many[1] card.md';
  expect(told).toContain(`cards: ${shown} (--cards FOLDER writes them)`);

  const folder = join(directory, 'cards');
  const written = headrace('runs', 'show', id, '--cards', folder);
  expect(written.stdout).toContain(`4 cards in ${folder}`);
  const names = ['many/0/card.md', 'many/1/card.md', 'one/card.md', 'one/more/plot.html'];
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = found.map((entry) => join(entry.parentPath, entry.name)).sort();
  expect(paths).toEqual(names.map((name) => join(folder, name)));
  expect(readFileSync(join(folder, 'one/more/plot.html'), 'utf8')).toBe('<p>plot</p>\n');
}, 90_000);

it('says of a cancelled run whether anything of it may run, and where', () => {
  headrace('apply');
  const { id } = JSON.parse(headrace('run', 'slow', '--json').stdout) as { id: string };
  // As if another host had driven it, and it were at work; then as if this one had, where a process of it is left.
  const rows = new DatabaseSync(join(directory, '.headrace', 'registry.db'));
  onTestFinished(() => rows.close());
  const drivenBy = (driver: string, state: string): void => {
    const run = 'update pipeline_runs set driver = ?, state = ?, lease_until = 0, ended_at = null where id = ?';
    rows.prepare(run).run(driver, state, id);
    rows.prepare('update pipeline_slices set executor = ? where run_id = ?').run(`local:${driver}`, id);
  };
  const cancel = (...args: readonly string[]) => headrace('runs', 'cancel', id, ...args).stdout;
  drivenBy('far-host.pid.4026531836.0badcafe/77/1f2e3d4c', 'running');
  const there = `processes of it may still run at far-host, where it was driven last: \`headrace runs cancel ${id}\` or \`headrace runs resume ${id}\` ends them there`;
  expect(cancel().trim()).toBe(`run ${id} is cancelled\n${there}`);
  const driver = newOwner();
  drivenBy(driver, 'cancelled');
  const env = { ...process.env, HEADRACE_ATTEMPT: `${driver}:x:0:1` };
  const orphan = spawn('sleep', ['1000'], { env, detached: true, stdio: 'ignore' });
  onTestFinished(() => void orphan.kill('SIGKILL'));
  expect(cancel()).toMatch(/had ended: cancelled\na process that a driver had left on this host: ended\n/);
  const none = { was_running: false, state: 'cancelled', driver: null, ended_processes: 0, may_run_at: [] };
  expect(JSON.parse(cancel('--json'))).toEqual({ id, ...none });
}, 90_000);
