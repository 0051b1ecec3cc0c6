// Feast's own client, as PyPI has it, with a server as its remote online store: reads by reference and by service, pushes,
// writes, statuses, int64 of all digits, and errors as it raises them.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, FEAST_REPOSITORY } from '../support/feast-shop.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';
import { bringPackages } from '../support/python-packages.ts';
import { guideBlocks } from '../support/run-guide.ts';
import { skipBecause } from '../support/skips.ts';
import { ownProject } from '../support/test-project.ts';
import { fullIt } from '../support/tier.ts';

const VERSION = '0.67.0';
const CLIENT = join(import.meta.dirname, '../support/feast-client.py');
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

type Seen = Readonly<Record<string, unknown>> & {
  readonly errors: Readonly<Record<string, { readonly class: string; readonly message: string }>>;
};

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

  it.each<[name: string, kind: string, value: unknown]>([
    ['amount', 'double_val', 3],
    ['points', 'int64_val', '9223372036854775807'],
    ['code', 'string_val', 'AQID'],
    ['seen', 'bool_val', true],
    ['tags', 'string_list_val', ['a', 'b']],
    ['embedding', 'double_list_val', [1, 2.5, 3]],
    ['small', 'int64_val', -7],
    ['share', 'double_val', 0.5],
    ['rates', 'double_list_val', [1, 0.25]],
    ['bought', 'int64_val', boughtMs / 1000],
  ])('reads %s as %s', (name, kind, value) => {
    const { values, kinds } = seen as unknown as Record<'values' | 'kinds', Record<string, unknown>>;
    expect([kinds[name], values[name]]).toEqual([kind, [value, null]]);
    expect([kinds['customer'], values['customer']]).toEqual(['string_val', ['ada', 'nobody']]);
    expect([Object.keys(kinds).length, Object.keys(values).length]).toEqual([11, 11]);
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

fullIt.skipIf(typeof brought === 'string')(
  'the guide on Feast’s clients shows what its Python prints, by a key’s token, too',
  { timeout: 300_000 },
  async () => {
    const [definitions = ''] = guideBlocks('feast-clients.md', 'ts');
    const [store = '', auth = ''] = guideBlocks('feast-clients.md', 'yaml');
    const project = ownProject();
    const server = await project.serve();
    project.write('feature_repo/balances.ts', definitions);
    project.json('apply');
    const put = (more = '') =>
      project.write('feast/feature_store.yaml', store.replace('http://127.0.0.1:8080', server.url) + more);
    const folder = dirname(put());
    project.write('feast/guide.py', guideBlocks('feast-clients.md', 'python').join('\n'));
    const shown = guideBlocks('feast-clients.md', 'text').join('');
    await expect.poll(() => run(['guide.py'], folder), { timeout: 120_000 }).toContain(shown);
    const { key } = project.json<{ key: string }>('keys create feast --role read --role write');
    put(auth);
    await expect.poll(async () => (await fetch(`${server.url}/v1/status`)).status).toBe(401);
    expect(await run(['guide.py'], folder, { HEADRACE_KEY: key })).toContain(shown);
    const wrong = run(['guide.py'], folder, { HEADRACE_KEY: 'hr_wrong' });
    await expect(wrong).rejects.toThrow(/FeastPermissionError: HR_UNAUTH/);
  },
);
