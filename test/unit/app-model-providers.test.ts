import { expect, it } from 'vitest';
import { providersOf } from '../../src/app/model-providers.ts';

it('models run as this machine says, by name or all, and as their definitions say elsewhere', () => {
  const declared = ['cuda', 'cpu'];
  expect(providersOf({ 'models.providers': undefined })('ranker', declared)).toEqual(declared);
  const byName = providersOf({ 'models.providers': { ranker: ['cpu'] } });
  expect([byName('ranker', declared), byName('trees', ['cpu']), byName('toString', declared)]).toEqual([
    ['cpu'],
    ['cpu'],
    declared,
  ]);
  const all = providersOf({ 'models.providers': { '*': ['cuda:1'], trees: ['cpu'] } });
  expect([all('ranker', declared), all('trees', declared)]).toEqual([['cuda:1'], ['cpu']]);
});
