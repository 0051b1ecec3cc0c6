// Alerts as people see them: over HTTP, each key what it may, and on the command line.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { headrace, headraceJson, REPOSITORY } from '../support/serving-project.ts';

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({ repository: REPOSITORY, features: 4 });
  const alerts = await open.app.alerts();
  const at = open.app.clock.nowMicros();
  const seen = { evidence: { psi: 0.31, rows: 420 }, at, opensAfter: 1, closesAfter: 1 };
  await alerts.observe({ ...seen, rule: 'drift', endpoint: 'checkout', feature: 'amount', state: 'firing' });
  await alerts.observe({ ...seen, rule: 'quality', endpoint: 'other', feature: null, state: 'firing' });
  await alerts.observe({ ...seen, rule: 'quality', endpoint: 'other', feature: null, state: 'ok', at: at + 1 });
  await alerts.observe({ ...seen, rule: 'monitor_stopped', endpoint: '', feature: 'drift', state: 'firing' });
});
afterAll(() => open.close());
const list = async (query = '', headers = {}) =>
  open.serving.server.inject({ url: `/v1/alerts${query}`, headers: { host: 'localhost', ...headers } });

describe('alerts', () => {
  it('are told over HTTP, by state', async () => {
    const all = (await list()).json().alerts;
    expect(all).toHaveLength(3);
    expect((await list('?state=closed')).json().alerts).toMatchObject([
      { rule: 'quality', endpoint: 'other', feature: null },
    ]);
    expect((await list('?state=open&endpoint=checkout')).json()).toEqual({
      alerts: [
        {
          id: expect.any(String),
          rule: 'drift',
          endpoint: 'checkout',
          feature: 'amount',
          state: 'open',
          opened_at: expect.stringMatching(/^\d{4}-.*Z$/),
          closed_at: null,
          evidence: { psi: 0.31, rows: 420 },
        },
      ],
    });
    expect((await list('?state=shut')).statusCode).toBe(400);
  });

  it('are listed, shown and silenced on the command line, which the audit log tells', async () => {
    expect(headrace(open.project, ['alerts', 'list', '--state', 'open']).stdout).toMatch(
      /drift +checkout +amount +open/,
    );
    expect(headrace(open.project, ['alerts', 'show', 'drift', '--feature', 'amount']).stdout).toContain('"psi": 0.31');
    expect(headrace(open.project, ['alerts', 'show', 'nothing']).stdout).toBe('No alert of rule nothing.\n');
    const why = ['--for', '2h', '--reason', 'a sale'];
    expect(headrace(open.project, ['alerts', 'silence', 'drift', '--endpoint', 'checkout', ...why]).stdout).toMatch(
      /^drift of checkout is silent until /,
    );
    expect(headraceJson(open.project, ['alerts', 'list', '--rule', 'drift'])).toMatchObject({
      alerts: [{ silenced_until: expect.any(String) }],
      silences: [{ rule: 'drift', endpoint: 'checkout', feature: null, reason: 'a sale' }],
    });
    expect(headraceJson(open.project, ['alerts', 'unsilence', 'drift', '--endpoint', 'checkout'])).toMatchObject({
      ended: 1,
    });
    const { auditLog } = await open.app.registry();
    expect((await auditLog.list({ object: 'alert/drift', limit: 5 })).map(({ action }) => action)).toEqual([
      'alerts.unsilence',
      'alerts.silence',
    ]);
    for (const bad of [['--for', 'long'], ['--for', '0s'], []])
      expect(headrace(open.project, ['alerts', 'silence', 'drift', ...bad]).code).toBe(2);
    // A silence that would keep nothing back is a slip.
    expect(headrace(open.project, ['alerts', 'silence', 'drfit', '--for', '2h'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no rule "drfit". Did you mean "drift"?'),
    });
    expect(
      headrace(open.project, ['alerts', 'silence', 'drift', '--endpoint', 'chekout', '--for', '2h']),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('chekout'),
    });
    for (const [rule, feature, told] of [
      [
        'drift',
        'bsket__ratio',
        'there is no feature "bsket__ratio" that alerts of rule drift are of. Did you mean "basket__ratio"? There are amount, basket__',
      ],
      ['drift', 'output:probabilty', 'Did you mean "output:probability"?'],
      ['skew', 'output:probability', 'There are basket__'],
      ['quality', 'ac', 'Did you mean "auc"?'],
      ['monitor_stopped', 'skew', 'There are drift, quality, verify.'],
      ['rollout', 'basket__ratio', 'alerts of rule rollout are of no feature: leave --feature out.'],
    ] as const)
      expect(headrace(open.project, ['alerts', 'silence', rule, '--feature', feature, '--for', '2h'])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(told),
      });
    expect(
      headrace(open.project, [
        'alerts',
        'silence',
        'drift',
        '--endpoint',
        'checkout',
        '--feature',
        'nope',
        '--for',
        '2h',
      ]).stderr,
    ).toContain('that alerts of rule drift are of at endpoint "checkout".');
    // One that alerts were of, though no version has it now.
    for (const feature of ['amount', 'output:probability'])
      expect(headrace(open.project, ['alerts', 'silence', 'drift', '--feature', feature, '--for', '2h']).code).toBe(0);
  });

  it('are told to a key of the endpoints that it may use', async () => {
    const { keys } = await open.app.registry();
    const { token } = await keys.create({ name: 'c', roles: ['read'], endpoints: ['checkout'] }, { actor: 'me' });
    await open.serving.security.refresh();
    const { alerts } = (await list('', { authorization: `Bearer ${token}` })).json();
    expect(alerts.map(({ rule }: { rule: string }) => rule)).toEqual(['drift']);
  });
});
