// Feast's own client, as PyPI has it, with a server as its remote online store: reads by reference and by service, pushes,
// writes, statuses, int64 of all digits, and errors as it raises them.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, FEAST_REPOSITORY } from '../support/feast-shop.ts';
import { headrace, createServingProject, startServe } from '../support/serving-project.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';
import { fullDescribe } from '../support/tier.ts';

const VERSION = '0.67.0';
const CLIENT = join(import.meta.dirname, '../support/feast-client.py');
const GUIDE = join(import.meta.dirname, '../../docs/guides/feast-clients.md');
const INSTALL_LIMIT_MS = 600_000;

const brought = bringPackages(`feast-${VERSION}`, [`feast==${VERSION}`], INSTALL_LIMIT_MS);
if (typeof brought === 'string') skipBecause(`Feast's remote online store: ${brought}`);

/** What it printed. The server may be in this process, which must not wait. */
async function run(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const python = typeof brought === 'string' ? '' : join(brought.bin, 'python');
  const child = spawn(python, args, { cwd, env: { ...process.env, FEAST_USAGE: 'False', ...env }, timeout: 240_000 });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`the client ended with ${String(code)}:\n${said.stderr}`);
  return said.stdout;
}

/** What the client saw. */
async function ask(url: string, folder: string): Promise<Seen> {
  const line = (await run([CLIENT, url, folder], folder)).trim().split('\n').at(-1) ?? '';
  // As text, int64 keep their digits.
  return JSON.parse(line.replaceAll(/(?<=[[ ])-?\d{16,}(?=[,\]])/g, '"$&"')) as Seen;
}

interface Raised {
  readonly class: string;
  readonly message: string;
}

type Seen = Readonly<Record<string, unknown>> & { readonly errors: Readonly<Record<string, Raised>> };

describe.skipIf(typeof brought === 'string')('Feast’s remote online store', () => {
  let open: OpenServing;
  let seen: Seen;
  const boughtMs = Math.floor((Date.now() - 60_000) / 1000) * 1000;
  beforeAll(async () => {
    open = await openServing({ repository: FEAST_REPOSITORY, features: 1 });
    const rows = [{ ...ADA, bought_at: new Date(boughtMs).toISOString() }];
    expect((await open.post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
    seen = await ask(open.serving.url, open.project.directory);
  }, 300_000);
  afterAll(() => open.close());

  it('reads every type, with the type that Feast has for it', () => {
    expect(seen['values']).toEqual({
      customer: ['ada', 'nobody'],
      amount: [3, null],
      points: ['9223372036854775807', null],
      code: ['AQID', null],
      seen: [true, null],
      tags: [['a', 'b'], null],
      embedding: [[1, 2.5, 3], null],
      small: [-7, null],
      share: [0.5, null],
      rates: [[1, 0.25], null],
      bought: [boughtMs / 1000, null],
    });
    expect(seen['kinds']).toEqual({
      customer: 'string_val',
      amount: 'double_val',
      points: 'int64_val',
      code: 'string_val',
      seen: 'bool_val',
      tags: 'string_list_val',
      embedding: 'double_list_val',
      small: 'int64_val',
      share: 'double_val',
      rates: 'double_list_val',
      bought: 'int64_val',
    });
  });

  it('tells what is there from what is not', () => {
    const { customer, ...features } = seen['statuses'] as Record<string, readonly string[]>;
    expect(customer).toEqual(['PRESENT', 'PRESENT']);
    expect(new Set(Object.values(features).map(String))).toEqual(new Set(['PRESENT,NOT_FOUND']));
  });

  it('reads by full names, by service, and what a function computes of request data', () => {
    expect(seen['full']).toEqual(['customer', 'history__amount', 'recent__amount']);
    expect(seen['service']).toEqual({ customer: ['ada'], points: ['9223372036854775807'], mean_7d: [3], ratio: [2] });
    expect(seen['onDemand']).toEqual({ customer: ['ada', 'nobody'], ratio: [2, null] });
  });

  it('pushes and writes, int64 with all digits, and a push that is sent twice is one', () => {
    expect(seen['pushed']).toEqual({
      account: [1, '9007199254740993', '9007199254740992'],
      cents: ['-9223372036854775808', '9223372036854775807', null],
      memo: ['a ü', null, null],
    });
    expect(seen['pushedStatuses']).toEqual({
      account: ['PRESENT', 'PRESENT', 'PRESENT'],
      cents: ['PRESENT', 'PRESENT', 'NOT_FOUND'],
      memo: ['PRESENT', 'NULL_VALUE', 'NOT_FOUND'],
    });
    expect(seen['written']).toEqual({ account: [1], cents: [5] });
  });

  it('reads view by view, as clients of before did', () => {
    expect(seen['read']).toEqual([
      { cents: ['int64_val', '9223372036854775807'], memo: [null, '0'] },
      { cents: [null, '0'], memo: [null, '0'] },
    ]);
    expect(seen['readTime']).toBe(true);
  });

  it('raises our errors as Feast’s own classes', () => {
    const classes = Object.entries(seen.errors).map(([name, error]) => [name, error.class]);
    expect(Object.fromEntries(classes)).toEqual({
      view: 'FeatureViewNotFoundException',
      feature: 'FeastError',
      service: 'FeatureServiceNotFoundException',
      entity: 'RequestDataNotFoundInEntityRowsException',
      request: 'RequestDataNotFoundInEntityRowsException',
      twice: 'FeatureNameCollisionError',
      type: 'FeastError',
    });
    expect(seen.errors['feature']?.message).toBe(
      'HR_UNKNOWN_FEATURE: view "history" has no feature "amuont". Did you mean "amount"?',
    );
    expect(seen.errors['type']?.message).toBe('HR_INVALID: entities.account[0]: expected int64, got string "one"');
  });

  it('takes what Feast’s guides send by HTTP', () => {
    expect(seen['http']).toEqual([200, 200]);
    expect(seen['httpRead']).toEqual({ customer: ['eve'], amount: [4] });
    expect(seen['httpError']).toBe('PushSourceNotFoundException');
    expect(seen['health']).toBe(200);
  });
});

fullDescribe.skipIf(typeof brought === 'string')('the guide on Feast’s clients', () => {
  it('shows what its Python prints, by a key’s token, too', async () => {
    const guide = readFileSync(GUIDE, 'utf8');
    const blocks = (language: string): readonly string[] =>
      [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text);
    const [definitions = ''] = blocks('ts');
    const [store = '', auth = ''] = blocks('yaml');
    const project = createServingProject();
    const server = await startServe(project);
    try {
      project.write('feature_repo/balances.ts', definitions);
      expect(headrace(project, ['apply']).code).toBe(0);
      const folder = dirname(
        project.write('feast/feature_store.yaml', store.replace('http://127.0.0.1:8080', server.url)),
      );
      project.write('feast/guide.py', blocks('python').join('\n'));
      const shown = blocks('text').join('');
      await expect.poll(() => run(['guide.py'], folder), { timeout: 120_000 }).toContain(shown);
      const made = headrace(project, ['keys', 'create', 'feast', '--role', 'read', '--role', 'write', '--json']);
      const { key } = JSON.parse(made.stdout) as { readonly key: string };
      project.write('feast/feature_store.yaml', `${store.replace('http://127.0.0.1:8080', server.url)}${auth}`);
      await expect.poll(async () => (await fetch(`${server.url}/v1/status`)).status).toBe(401);
      expect(await run(['guide.py'], folder, { HEADRACE_KEY: key })).toContain(shown);
      await expect(run(['guide.py'], folder, { HEADRACE_KEY: 'hr_wrong' })).rejects.toThrow(
        /FeastPermissionError: HR_UNAUTH/,
      );
    } finally {
      await server.stop();
      project.remove();
    }
  }, 300_000);
});
