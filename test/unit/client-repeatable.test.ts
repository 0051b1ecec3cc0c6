// Which of a client's requests may be sent twice.

import { expect, it } from 'vitest';
import { clientOf } from '../../src/client/create-client.ts';
import { predictions } from '../../src/client/predictions.ts';
import type { Ask, Question } from '../../src/client/ask.ts';

/** Questions that `act` asks, whose answers are no use to it. */
async function asked(act: (ask: Ask) => Promise<unknown>): Promise<readonly Question[]> {
  const questions: Question[] = [];
  await act(async (question) => {
    questions.push(question);
    throw new Error('no answer');
  }).catch(() => {});
  return questions;
}

it('a prediction is sent again only where the caller says that it may be', async () => {
  for (const [mayRepeat, isRepeatable] of [
    [undefined, false],
    [false, false],
    [true, true],
  ] as const) {
    const options = mayRepeat === undefined ? {} : { mayRepeat };
    for (const name of ['predictMany', 'predictPartial'] as const) {
      expect(await asked((ask) => predictions(ask, undefined, 'string')[name]('delay', [{}], options))).toMatchObject([
        { method: 'POST', isRepeatable },
      ]);
    }
    expect(await asked((ask) => predictions(ask, undefined, 'string').predict('delay', {}, options))).toMatchObject([
      { method: 'POST', isRepeatable },
    ]);
  }
  expect(await asked((ask) => predictions(ask, undefined, 'string').predict('delay', {}))).toMatchObject([
    { isRepeatable: false },
  ]);
});

it('what changes nothing, or is known by a key, is sent again', async () => {
  const calls = [
    (ask: Ask) => clientOf(ask, undefined, 'string').readFeatures('s', {}),
    (ask: Ask) => clientOf(ask, undefined, 'string').push('s', [{}]),
    (ask: Ask) => clientOf(ask, undefined, 'string').tellOutcomes('e', []),
    (ask: Ask) => clientOf(ask, undefined, 'string').flag('e', {}),
    (ask: Ask) => clientOf(ask, undefined, 'string').flags({}),
    (ask: Ask) => clientOf(ask, undefined, 'string').endpoint('e'),
    (ask: Ask) => clientOf(ask, undefined, 'string').health(),
  ];
  for (const call of calls) expect(await asked(call), String(call)).toMatchObject([{ isRepeatable: true }]);
});

it('every push has a key of its own, or the one that the caller gives', async () => {
  const keysOf = async (options?: { idempotencyKey: string }): Promise<unknown[]> =>
    (
      await asked(async (ask) => {
        const client = clientOf(ask, undefined, 'string');
        await Promise.allSettled([client.push('s', [{}], options), client.push('s', [{}], options)]);
      })
    ).map(({ headers }) => headers?.['idempotency-key']);
  const [one, other] = await keysOf();
  expect(one).toMatch(/./);
  expect(one).not.toBe(other);
  expect(await keysOf({ idempotencyKey: 'mine' })).toEqual(['mine', 'mine']);
});
