// The workflow in the project that `init` makes: GitHub can read it, and its scripts do what it says, run here with stand-ins
// for what they call.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly if?: string;
  readonly env?: Readonly<Record<string, string>>;
}
interface Job {
  readonly if: string;
  readonly permissions: object;
  readonly env?: unknown;
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly on: Readonly<Record<string, { readonly branches?: readonly string[]; readonly types?: readonly string[] }>>;
  readonly concurrency: Readonly<Record<string, string>>;
  readonly permissions: object;
  readonly env?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const file = 'templates/project/.github/workflows/features.yml';
const workflow = parse(readFileSync(file, 'utf8')) as Workflow;

function script(job: string, name: string): string {
  const step = workflow.jobs[job]?.steps.find((one) => one.name === name);
  if (step?.run === undefined) throw new Error(`no step "${name}"`);
  // GitHub fills these in before a shell sees them; what comes from people must come through the environment.
  expect(step.run).not.toContain('${{');
  return step.run;
}

describe('what GitHub reads', () => {
  it('plans pull requests and applies merges to main', () => {
    expect(Object.keys(workflow.on)).toEqual(['pull_request', 'push']);
    expect(workflow.on['push']?.branches).toEqual(['main']);
    expect(workflow.on['pull_request']?.types).toContain('labeled');
    expect(workflow.jobs['plan']?.if).toContain(`github.event_name == 'pull_request'`);
    expect(workflow.jobs['apply']?.if).toBe(`github.event_name == 'push'`);
  });

  const URL = 'HEADRACE_REGISTRY_URL';
  it.each([
    ['plan', [URL]],
    ['apply', [URL, 'HEADRACE_ARTIFACTS_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION']],
  ])('gives the secrets to the step that needs them in %s, and to no other', (job, secrets) => {
    expect(workflow.env).toBeUndefined();
    expect(workflow.jobs[job]?.env).toBeUndefined();
    const steps = workflow.jobs[job]?.steps ?? [];
    const isGiven = (step: Step) => JSON.stringify(step).includes('secrets.');
    expect(steps.filter(isGiven).map(({ name }) => name?.toLowerCase())).toEqual([job]);
    const given = Object.entries(steps.find(isGiven)?.env ?? {}).filter(([, value]) => value.includes('secrets.'));
    expect(given).toEqual(secrets.map((name) => [name, `\${{ secrets.${name} }}`]));
  });

  it.each(['plan', 'apply'])('runs no script of a package while it installs them in %s', (job) => {
    const installs = workflow.jobs[job]?.steps.filter(({ run }) => run?.startsWith('npm ci'));
    expect(installs?.map(({ run }) => run)).toEqual(['npm ci --ignore-scripts']);
  });

  it('lets no two applies race, and gives each job what it needs alone', () => {
    expect(workflow.concurrency['group']).toContain('features-apply');
    expect(workflow.concurrency['cancel-in-progress']).toBe(`\${{ github.event_name == 'pull_request' }}`);
    expect(workflow.permissions).toEqual({ contents: 'read' });
    expect(workflow.jobs['plan']?.permissions).toEqual({ contents: 'read', 'pull-requests': 'write' });
  });

  it('names each action by a version', () => {
    const used = Object.values(workflow.jobs).flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
    expect(used).toHaveLength(4);
    for (const name of used) expect(name).toMatch(/^actions\/[a-z-]+@v\d+$/);
  });
});

describe('its scripts', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-workflow-'));
    mkdirSync(join(folder, 'bin'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A program of this name that notes how it was called. */
  function standIn(name: string, body: string): void {
    const path = join(folder, 'bin', name);
    writeFileSync(path, `#!/bin/bash\necho "${name} $*" >> "$CALLS"\n${body}\n`);
    chmodSync(path, 0o755);
  }

  /** As GitHub runs it. */
  function runScript(text: string, env: Readonly<Record<string, string>> = {}) {
    const path = join(folder, 'script.sh');
    writeFileSync(path, text);
    const given = {
      PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
      CALLS: join(folder, 'calls'),
      GITHUB_OUTPUT: join(folder, 'output'),
      GITHUB_STEP_SUMMARY: join(folder, 'summary'),
      GITHUB_REPOSITORY: 'shop/features',
      GITHUB_SHA: 'abc',
      NUMBER: '7',
      HEADRACE_REGISTRY_URL: 'postgres://x',
      HEADRACE_ARTIFACTS_URL: 's3://x',
      ...env,
    };
    const { status, stderr } = spawnSync('bash', ['-e', path], { cwd: folder, env: given, encoding: 'utf8' });
    const read = (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '');
    return { status, stderr, calls: read('calls'), output: read('output'), summary: read('summary') };
  }

  it.each([
    ['nothing to change', 0, '## Nothing\n', 0],
    ['changes', 2, '## Changes\n', 0],
    ['breaking changes', 3, '## Breaking\n', 0],
    ['a failure', 1, '', 1],
    ['words that plan does not know, which are 2 as well', 2, '', 1],
  ])('goes on after %s, or not', (_what, code, printed, expected) => {
    standIn('npx', `printf '${printed}'; exit ${code}`);
    const { status, calls, output, summary } = runScript(script('plan', 'Plan'));
    expect(status).toBe(expected);
    expect(calls).toBe('npx --no-install headrace plan --markdown\n');
    expect(output).toBe(`code=${code}\n`);
    expect(summary).toBe(printed);
  });

  it('writes one comment, and then keeps that up to date', () => {
    const text = script('plan', 'Show the plan in the pull request');
    writeFileSync(join(folder, 'plan.md'), '## Plan\n');
    standIn('gh', '');
    expect(runScript(text).calls).toContain('gh pr comment 7 --body-file comment.md\n');
    expect(readFileSync(join(folder, 'comment.md'), 'utf8')).toBe('<!-- headrace plan -->\n## Plan\n');
    rmSync(join(folder, 'calls'));
    standIn('gh', `[[ "$*" == *--jq* ]] && echo 4711 || true`);
    const { calls } = runScript(text);
    expect(calls).toContain('gh api repos/shop/features/issues/comments/4711 --method PATCH --field body=@comment.md');
    expect(calls).not.toContain('gh pr comment');
  });

  it('refuses breaking changes without the label', () => {
    const refusal = workflow.jobs['plan']?.steps.at(-1);
    expect(refusal?.if).toBe(
      `steps.plan.outputs.code == '3' && !contains(github.event.pull_request.labels.*.name, 'breaking features')`,
    );
    expect(runScript(refusal?.run ?? '').status).toBe(1);
  });

  it('applies what breaks only where the merged pull request was allowed to', () => {
    standIn('npx', '');
    standIn('gh', 'echo bug; echo "breaking features"');
    expect(runScript(script('apply', 'Apply')).calls).toMatch(/npx --no-install headrace apply --yes\n$/);
    standIn('gh', 'echo "not breaking features"');
    expect(runScript(script('apply', 'Apply')).calls).toMatch(/npx --no-install headrace apply\n$/);
    standIn('gh', 'exit 1');
    expect(runScript(script('apply', 'Apply')).status).toBe(1);
  });

  it.each([
    ['plan', 'Plan'],
    ['apply', 'Apply'],
  ])('ends %s where the registry is not told: an empty one would be planned against', (job, name) => {
    standIn('npx', 'exit 0');
    standIn('gh', '');
    const { status, stderr, calls } = runScript(script(job, name), { HEADRACE_REGISTRY_URL: '' });
    expect(status).not.toBe(0);
    expect(stderr).toContain('add it to the secrets');
    expect(calls).toBe('');
  });
});
