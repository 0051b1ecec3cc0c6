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

const OF_DRIFT =
  'there is no feature "bsket__ratio" that alerts of rule drift are of. Did you mean "basket__ratio"? There are amount, basket__';

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
    const run = (words: string, ...more: string[]) => headrace(open.project, ['alerts', ...words.split(' '), ...more]);
    expect(run('list --state open').stdout).toMatch(/drift +checkout +amount +open/);
    expect(run('show drift --feature amount').stdout).toContain('"psi": 0.31');
    expect(run('show nothing').stdout).toBe('No alert of rule nothing.\n');
    const silenced = run('silence drift --endpoint checkout --for 2h --reason', 'a sale').stdout;
    expect(silenced).toMatch(/^drift of checkout is silent until /);
    expect(headraceJson(open.project, ['alerts', 'list', '--rule', 'drift'])).toMatchObject({
      alerts: [{ silenced_until: expect.any(String) }],
      silences: [{ rule: 'drift', endpoint: 'checkout', feature: null, reason: 'a sale' }],
    });
    const ended = headraceJson(open.project, ['alerts', 'unsilence', 'drift', '--endpoint', 'checkout']);
    expect(ended).toMatchObject({ ended: 1 });
    const { auditLog } = await open.app.registry();
    const told = (await auditLog.list({ object: 'alert/drift', limit: 5 })).map(({ action }) => action);
    expect(told).toEqual(['alerts.unsilence', 'alerts.silence']);
    // A silence that would keep nothing back is a slip.
    for (const [words, said, code = 2] of [
      ['drift --for long', ''],
      ['drift --for 0s', ''],
      ['drift', ''],
      ['drfit --for 2h', 'there is no rule "drfit". Did you mean "drift"?'],
      ['drift --endpoint chekout --for 2h', 'chekout', 1],
      ['drift --feature bsket__ratio --for 2h', OF_DRIFT],
      ['drift --feature output:probabilty --for 2h', 'Did you mean "output:probability"?'],
      ['skew --feature output:probability --for 2h', 'There are basket__'],
      ['quality --feature ac --for 2h', 'Did you mean "auc"?'],
      ['monitor_stopped --feature skew --for 2h', 'There are drift, quality, verify.'],
      ['rollout --feature basket__ratio --for 2h', 'alerts of rule rollout are of no feature: leave --feature out.'],
      ['drift --endpoint checkout --feature nope --for 2h', 'that alerts of rule drift are of at endpoint "checkout".'],
    ] as const)
      expect(run(`silence ${words}`), words).toMatchObject({ code, stderr: expect.stringContaining(said) });
    // One that alerts were of, though no version has it now.
    for (const feature of ['amount', 'output:probability'])
      expect(run(`silence drift --feature ${feature} --for 2h`).code).toBe(0);
  });

  it('are told to a key of the endpoints that it may use', async () => {
    const { keys } = await open.app.registry();
    const { token } = await keys.create({ name: 'c', roles: ['read'], endpoints: ['checkout'] }, { actor: 'me' });
    await open.serving.security.refresh();
    const { alerts } = (await list('', { authorization: `Bearer ${token}` })).json();
    expect(alerts.map(({ rule }: { rule: string }) => rule)).toEqual(['drift']);
  });
});
