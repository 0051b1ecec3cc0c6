// What a derive function can be seen to read of its row.

import { describe, expect, it } from 'vitest';
import { functionRefs, IMPORTS, loadFiles, sourceText } from '../support/written-repository.ts';

const D = 'source/s/derive/d';

describe('what a derive function reads', () => {
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['(row) => row.delay', ['delay']],
    ['(row) => (row.miles ?? 0) + (row?.delay ?? 0)', ['delay', 'miles']],
    ['({ delay, miles: m }) => (delay ?? 0) + (m ?? 0)', ['delay', 'miles']],
    [`(row) => row['delay']`, ['delay']],
    ['(row) => { const { delay, ...rest } = row; return delay; }', undefined],
    ['(row) => { const { delay } = row; return delay; }', ['delay']],
    ['({ delay, ...rest }) => delay', undefined],
    ['(row) => helper(row)', ['delay', 'miles']],
    ['helper', ['delay', 'miles']],
    ['rules.late', ['delay']],
    ['after(15)', ['delay']],
    ['made', ['delay']],
    ['(row) => twice(twice, row)', undefined],
    ['(row) => row[column]', undefined],
    ['(row) => Object.keys(row).length', undefined],
    [`(row) => Number('delay' in row)`, undefined],
    [`(row) => Number(row.hasOwnProperty('delay'))`, undefined],
    ['(row) => { const all = row; return all.delay; }', undefined],
    ['(row) => [1].map((row) => row)[0]', undefined],
    ['function () { return arguments[0].delay; }', undefined],
    ['() => 1', []],
    ['(row) => [1].map(() => row.delay ?? 0)[0]', ['delay']],
  ];
  it.each(cases)('%s', async (derive, reads) => {
    const definitions = await loadFiles({
      's.ts': `${IMPORTS}import * as rules from './rules.ts';
const column = 'delay' as string;
const inner = ({ miles }: any) => miles;
function helper(row: any) { return row.delay + inner(row); }
const after = (n: number) => (row: any) => row.delay > n ? 1 : 0;
const made = after(3);
const twice: any = (f: any, row: any) => f(row);
${sourceText(derive).replace('derive: { d: [t.float64(), ', 'derive: { d: [t.float64() as any, ')}`,
      'rules.ts': 'export const late = (row: any) => row.delay;',
    });
    expect(functionRefs(definitions)[D]?.reads).toEqual(reads);
  });
});
