// What is redacted by its name, on a server: the log has nothing of it, whatever its type, and a name of nothing is told.

import { describe, expect, it } from 'vitest';
import { applyBeside } from '../support/open-serving.ts';
import { openForTest, queryLog, recordLog } from '../support/open-for.ts';

const REPOSITORY = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
export const basket = onDemandView('basket', {
  inputs: { request: { who: t.bytes(), gone: t.string().optional(), amount: t.int64(), city: t.string() } },
  features: { twice: t.float64() },
  transform: ({ request }) => ({ twice: 2 * Number(request.amount) }),
});
export const numbers = featureService('numbers', [basket]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const some = endpoint('some', { model: returns, unit: ['city', 'who', 'gone'] });
export const all = endpoint('all', { model: returns, unit: ['who', 'gone', 'amount', 'city'] });
`;
const WHO = Buffer.from('secret').toString('base64');
const ROW = { who: WHO, gone: null, amount: '7', city: 'Ulm' };

const serve = (redact: string, more: object = {}) =>
  openForTest({ repository: REPOSITORY, features: 1, settings: { HEADRACE_PREDICTION_LOG_REDACT: redact }, ...more });

it.each([
  ['of bytes', 'who', 'some', ['Ulm', '', ''], { who: null }],
  ['that is null', 'gone', 'some', ['Ulm', WHO, ''], {}],
  ['of an endpoint', 'some.city', 'some', ['', WHO, ''], { city: null }],
  ['of another endpoint', 'all.city', 'some', ['Ulm', WHO, ''], {}],
  ['beside another', 'who, city', 'some', ['', '', ''], { who: null, city: null }],
  ['of bytes, where all are in the unit,', 'who', 'all', ['', '', '7', 'Ulm'], { who: null }],
  ['of a number', 'amount', 'all', [WHO, '', '', 'Ulm'], { amount: null }],
  ['that is null, where all are in the unit,', 'gone', 'all', [WHO, '', '7', 'Ulm'], {}],
])(
  'a redacted column %s is not in the unit, and other columns are: %s of %s',
  async (_, redact, endpoint, unit, changed) => {
    const { app, serving, post } = await serve(redact);
    const answer = await post(`/v1/endpoints/${endpoint}/predict`, { inputs: [ROW] });
    expect(answer.statusCode, answer.body).toBe(200);
    await serving.stop();
    const [row] = await queryLog(app, 'SELECT unit, request::VARCHAR AS request FROM predictions');
    expect(row?.['unit']).toEqual(unit);
    expect(JSON.parse(String(row?.['request']))).toEqual({ ...ROW, amount: 7, ...changed });
  },
);

it.each(['city', 'some.unit'])(
  'an outcome of a unit is refused where %s is redacted, for it would name what the log must not have',
  async (redact) => {
    const { post } = await serve(redact);
    const outcomes = [{ unit: ['Ulm', WHO, ''], at: '2026-01-01T00:00:00Z', value: 1 }];
    const errors = [{ path: 'outcomes[0].unit', message: expect.stringContaining('tell it by prediction_id') }];
    expect((await post('/v1/endpoints/some/outcomes', { outcomes })).json()).toMatchObject({ status: 400, errors });
  },
);

describe('a name of what no endpoint has', () => {
  const NAMES = 'whoo, some.who, all.basket__twice, probability, other.who, unit, some.unit, al.unit, some.amount';
  const recordWarnings = () => {
    const { logger, lines } = recordLog();
    return { logger, told: () => lines.filter((line) => line.level === 'warn' && 'redact' in line) };
  };

  it('is told once, with what it may have meant, and again only once the definitions had it', async () => {
    const { logger, told } = recordWarnings();
    const open = await serve(NAMES, { logger });
    expect(told().map(({ redact }) => redact)).toEqual(['whoo', 'other.who', 'al.unit']);
    expect(told()[0]?.msg).toContain('Did you mean "who"?');
    // Version 1 goes on with the columns that it was trained with.
    const changed = REPOSITORY.replace("endpoint('all'", "endpoint('every'").replaceAll('amount', 'total');
    open.project.write('feature_repo/shop.ts', changed);
    await applyBeside(open);
    await expect.poll(() => told().length, { timeout: 15_000 }).toBe(4);
    expect(told()[3]?.['redact']).toBe('all.basket__twice');
  });

  it('is told by one worker of several', async () => {
    const { logger, told } = recordWarnings();
    await serve(NAMES, { logger, serve: { compacts: false } });
    expect(told()).toEqual([]);
  });
});
