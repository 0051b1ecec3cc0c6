// Outcomes over HTTP, read back from the log: each kind of value is kept as it came.

import { describe, expect, it } from 'vitest';
import { openedForAll, queryLog } from '../support/open-for.ts';
import { serveProject } from '../support/open-serving.ts';
import { createServingProject } from '../support/serving-project.ts';

const open = openedForAll(() => serveProject(createServingProject()));
const post = async (path: string, payload: string) => {
  const headers = { 'content-type': 'application/json' };
  const url = `/v1/endpoints/checkout/${path}`;
  return (await open.serving.server.inject({ method: 'POST', url, headers, payload })).json();
};
const tell = (...outcomes: string[]) => post('outcomes', `{"outcomes":[${outcomes.join()}]}`);
const of = (id: string, value: string) => `{"prediction_id":"${id}","value":${value}}`;
const predict = async (customer = 'ada'): Promise<string> =>
  (await post('predict', `{"inputs":[{"customer":"${customer}","amount":30}]}`)).predictions[0].prediction_id;
/** The outcome's type, what it is, and whether there is one. */
async function readBack(id: string): Promise<unknown[]> {
  const columns = 'json_type(outcome) AS type, outcome::VARCHAR AS outcome, recorded_at IS NOT NULL AS is_told';
  const [row] = await queryLog(open.app, `SELECT ${columns} FROM predictions WHERE prediction_id = '${id}'`);
  return Object.values(row ?? {});
}
const NONE = [null, null, false];

describe('an outcome', () => {
  it.each([
    ['true', 'BOOLEAN', 'true'],
    ['false', 'BOOLEAN', 'false'],
    ['1', 'UBIGINT', '1'],
    ['-0.25', 'DOUBLE', '-0.25'],
    ['"late"', 'VARCHAR', '"late"'],
    ['"9007199254740993"', 'VARCHAR', '"9007199254740993"'],
    ['null', null, null],
  ])('of %s is accepted and kept', async (value, kind, text) => {
    const id = await predict();
    expect(await tell(of(id, value))).toEqual({ accepted: 1 });
    expect(await readBack(id)).toEqual([kind, text, true]);
  });

  it('is taken back by null, and told anew by what comes after', async () => {
    const id = await predict();
    for (const [value, ...kept] of [
      ['true', 'BOOLEAN', 'true'],
      ['null', null, null],
      ['false', 'BOOLEAN', 'false'],
    ] as const) {
      await tell(of(id, value));
      expect(await readBack(id)).toEqual([...kept, true]);
    }
  });

  it.each(['{}', '[true]', '1e400', '9007199254740993'])('of %s is refused, and nothing is kept', async (value) => {
    const id = await predict();
    const message = expect.stringMatching(/^expected number .*, boolean, text or null, got /);
    const errors = [{ path: 'outcomes[0].value', message }];
    expect(await tell(of(id, value))).toMatchObject({ status: 400, code: 'HR_INVALID', errors });
    // Writes out all that waits, the prediction too.
    await tell(of('another', 'true'));
    expect(await readBack(id)).toEqual(NONE);
  });

  it.each([
    ['prediction_id', () => of('\\ud800', '1')],
    ['value', (id: string) => of(id, '"\\udc00 late"')],
  ])('with half of a surrogate pair as its %s is refused, and none of its request is kept', async (member, wrong) => {
    const id = await predict();
    const message = expect.stringContaining('half of a surrogate pair is no text');
    const errors = [1, 2].map((row) => ({ path: `outcomes[${row}].${member}`, message }));
    const told = await tell(of(id, 'true'), wrong(id), wrong(id));
    expect(told).toMatchObject({ status: 400, code: 'HR_INVALID', errors });
    await tell(of('another', 'true'));
    expect(await readBack(id)).toEqual(NONE);
  });

  it('may be told of a unit and a time: of its newest prediction before it', async () => {
    const ids = [await predict('unit-1'), await predict('unit-1'), await predict('unit-2')];
    // Within what clocks may differ by, and after the predictions by any of them.
    const now = new Date(Date.now() + 1000).toISOString();
    const won = `{"unit":"unit-1","at":"${now}","value":"won"}`;
    for (let time = 0; time < 2; time++) {
      const accepted = await tell(won, `{"unit":["unit-2"],"at":"${now}","within":"1h","value":7}`);
      expect(accepted).toEqual({ accepted: 2 });
      expect(await Promise.all(ids.map(readBack))).toEqual([NONE, ['VARCHAR', '"won"', true], ['UBIGINT', '7', true]]);
    }
  });

  const [AT, LATE] = ['"at":"2026-01-01T00:00:00Z"', '2250-01-01T00:00:00Z'];
  it.each([
    ['', 'prediction_id', 'is missing, and so are unit and at'],
    ['"unit":"ada",', 'at', 'is missing: when it happened'],
    [`"unit":["ada",2],${AT},`, 'unit', 'expected one value, of customer, got 2'],
    [`"unit":"ada","prediction_id":"p",${AT},`, 'prediction_id', 'does not go with a unit'],
    [`"prediction_id":"p",${AT},`, 'at', 'belongs to an outcome with a unit'],
    [`"prediction_id":"p","observed_at":"${LATE}",`, 'observed_at', 'is in the future'],
    // No number tells it exactly.
    ['"prediction_id":"p","observed_at":"9999-12-31T00:00:00Z",', 'observed_at', ''],
    [`"unit":"ada","at":"${LATE}",`, 'at', 'is in the future'],
    [`"unit":"ada",${AT},"within":"a while",`, 'within', 'expected a duration such as "7d"'],
    [`"unit":"ada",${AT},"from":"2026-01-02T00:00:00Z",`, 'from', 'is after at'],
    [`"unit":"\\udc00",${AT},`, 'unit', 'half of a surrogate pair'],
    [`"unit":{},${AT},`, 'unit', 'expected text'],
  ])('{%s"value":1} is refused', async (members, member, message) => {
    const errors = [{ path: `outcomes[1].${member}`, message: expect.stringContaining(message) }];
    const told = await tell(of('x', '1'), `{${members}"value":1}`);
    expect(told).toMatchObject({ status: 400, code: 'HR_INVALID', errors });
  });

  it('is one of any number that a body holds', async () => {
    const id = await predict();
    const outcomes = Array.from({ length: 30_000 }, (_, i) => of(i === 29_999 ? id : String(i), String(i)));
    expect(await tell(...outcomes)).toEqual({ accepted: 30_000 });
    expect(await readBack(id)).toEqual(['UBIGINT', '29999', true]);
  });
});
