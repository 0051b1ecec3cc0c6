// Feast's own client, as PyPI has it, with a server as its remote online store: reads by reference and by service, pushes,
// writes, statuses, int64 of all digits, and errors as it raises them.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, FEAST_REPOSITORY } from '../support/feast-shop.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';

const VERSION = '0.67.0';
const CLIENT = join(import.meta.dirname, '../support/feast-client.py');
const INSTALL_LIMIT_MS = 600_000;

const brought = bringPackages(`feast-${VERSION}`, [`feast==${VERSION}`], INSTALL_LIMIT_MS);
if (typeof brought === 'string') skipBecause(`Feast's remote online store: ${brought}`);

/** What the client saw. The server is in this process, which must not wait. */
async function ask(url: string, folder: string): Promise<Seen> {
  const python = typeof brought === 'string' ? '' : join(brought.bin, 'python');
  const child = spawn(python, [CLIENT, url, folder], {
    env: { ...process.env, FEAST_USAGE: 'False' },
    timeout: 240_000,
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`the client ended with ${String(code)}:\n${said.stderr}`);
  const line = said.stdout.trim().split('\n').at(-1) ?? '';
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
