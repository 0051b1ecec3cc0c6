// A round of `dev` as people read it.

import { describe, expect, it } from 'vitest';
import { describeRound, type RoundGiven } from '../../src/cli/dev/describe-round.ts';
import type { Round } from '../../src/cli/dev/dev-round.ts';
import { plain } from '../../src/cli/paint.ts';
import { HeadraceError } from '../../src/core/index.ts';
import type { MaterializedView } from '../../src/offline/index.ts';

const ROUND: Round = {
  state: 'applied',
  isOwn: true,
  mistakes: [],
  error: null,
  plan: null,
  revision: 3,
  materialized: [],
  samples: [],
};

const shown = (round: Partial<Round>, given: Partial<RoundGiven> = {}): string =>
  describeRound(
    {
      round: { ...ROUND, ...round },
      number: 1,
      changed: [],
      seconds: 1.26,
      from: '/shop',
      repository: '/shop/repo',
      time: '09:41:07',
      ...given,
    },
    plain,
  );

// Of a computed view the line says the name and the keys.
const computed = (view: string, state: MaterializedView['state'], keys: number): MaterializedView =>
  ({ view, state, keys }) as MaterializedView;

describe('the outcome of a round', () => {
  const mistake = { path: 'views.bought', message: 'no such column' };
  it.each<[string, Partial<Round>, string]>([
    ['that computed nothing', {}, 'Applied revision 3, in 1.3 s.'],
    [
      'names the views that it computed, and no other',
      { materialized: [computed('a', 'finished', 1), computed('b', 'up-to-date', 5), computed('c', 'finished', 2)] },
      'Applied revision 3, computed a (1 key), c (2 keys), in 1.3 s.',
    ],
    [
      'whose views were all up to date',
      { materialized: [computed('b', 'up-to-date', 5)] },
      'Applied revision 3, in 1.3 s.',
    ],
    [
      'with nothing to apply',
      { state: 'unchanged' },
      'Nothing to apply; revision 3 is what the repository says (1.3 s).',
    ],
    [
      'with one mistake, in a file',
      { state: 'mistakes', mistakes: [{ ...mistake, file: 'a.ts', line: 2, column: 5 }] },
      'repo/a.ts:2:5: no such column\n1 mistake; nothing is applied.',
    ],
    [
      'with two mistakes, in no file',
      { state: 'mistakes', mistakes: [mistake, mistake] },
      'views.bought: no such column\nviews.bought: no such column\n2 mistakes; nothing is applied.',
    ],
    [
      'that would break something',
      { state: 'breaking' },
      'Not applied: it would break what reads the features. Start `headrace dev` with --yes to go ahead.',
    ],
    [
      'that failed',
      { state: 'failed', error: new HeadraceError('HR_CONFLICT', 'another is at work.') },
      'HR_CONFLICT: another is at work.',
    ],
  ])('%s', (_, round, text) => {
    expect(shown(round)).toBe(text);
  });
});

it('begins with the time and the files that changed, as paths from where the user stands', () => {
  const changed = ['/shop/repo/a.ts', '/elsewhere/b.ts'];
  expect(shown({}, { changed })).toBe('\n09:41:07 repo/a.ts, /elsewhere/b.ts\nApplied revision 3, in 1.3 s.');
});

it('shows samples in the first round, after a change, and where a value changed', () => {
  const value = { value: 1, status: 'PRESENT' } as const;
  const sample = (changed: boolean): Round['samples'][number] => ({
    service: 's',
    row: { id: 'a' },
    missing: [],
    features: [{ name: 'f', before: null, after: value, changed }],
    error: null,
  });
  const isShown = (round: Partial<Round>, number: number): boolean =>
    shown(round, { number }).includes('s of {"id":"a"}');
  const unchanged = { state: 'unchanged', samples: [sample(false)] } as const;
  expect(isShown(unchanged, 1)).toBe(true);
  expect(isShown(unchanged, 2)).toBe(false);
  expect(isShown({ ...unchanged, samples: [sample(true)] }, 2)).toBe(true);
  expect(isShown({ samples: [sample(false)] }, 2)).toBe(true);
});
