// Which titles of a test file the twin of a test of the full tier may name.

import { expect, it } from 'vitest';
import { quickTitles } from '../../scripts/test/quick-titles.ts';

it.each<[string, string[][]]>([
  [`it('is read', (): void => {});`, [['is read']]],
  [`it('isn\\'t read', () => {});`, [["isn't read"]]],
  [`describe('a log', () => { it('is read', () => {}); });`, [['a log'], ['a log', 'is read']]],
  [`describe.each(rows([1], [2]))('a log on $name', holdToContract);`, [['a log on $name']]],
  ['it.skipIf(none).each`a`(`is %s`, () => {});', [['is %s']]],
  ['it(`is ${read}`, () => {});', [['is ${…}']]],
  [`const onLinux = it.runIf(isLinux); onLinux('is read', () => {});`, [['is read']]],
  [`// it('is read', () => {});`, []],
  [`fullIt('is read', () => {}); fullDescribe('a log', () => { it('is written', () => {}); });`, []],
  [`it.skip('is read', () => {}); it.todo('is written'); it.fails('is lost', () => {});`, []],
  [`const slowIt = fullIt.runIf(isLinux); slowIt('is read', () => {});`, []],
  [`write('is read');`, []],
])('the quick titles of %j are %j', (source, titles) => {
  expect(quickTitles(source)).toEqual(titles);
});
