// What a transform can be seen to read of its inputs, held against what it really reads.

import { describe, expect, it } from 'vitest';
import { callFunction, functionRefs, loadFiles } from '../support/written-repository.ts';

const repository = (transform: string): Readonly<Record<string, string>> => ({
  'features.ts': `import { count, entity, featureView, mean, onDemandView, pushed, t } from 'headrace';
import * as rules from './rules.ts';
const airport = entity('airport', { keys: { airport: t.string() } });
const flights = pushed('flights', { columns: { airport: t.string(), delay: t.float64(), at: t.timestamp() }, eventTime: 'at' });
export const delays = featureView('delays', {
  entity: airport, source: flights, features: { mean_7d: mean('delay').over('7d'), n_7d: count().over('7d') },
});
const column = 'mean_7d' as string;
const ratio = (request: any, delays: any) => request.miles / delays.mean_7d;
const all = (row: any): number => Object.keys(row).length;
const meanOf = (row: any): number => row.mean_7d;
export const v = onDemandView('v', {
  inputs: { request: { miles: t.float64(), at: t.timestamp() }, from: delays.as('from', { airport: 'from' }), to: delays.as('to', { airport: 'to' }) },
  features: { y: t.float64() },
  transform: ${transform},
});
`,
  'rules.ts': 'export const ratio = ({ request, from }: any) => ({ y: request.miles / from.mean_7d });',
});

describe('what a transform reads of its inputs', () => {
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['({ request, from }) => ({ y: (request.miles ?? 0) / (from.mean_7d ?? 1) })', ['from.mean_7d', 'request.miles']],
    ['({ request }) => ({ y: request.at?.getUTCHours() ?? null })', ['request.at']],
    ['({ from: { mean_7d }, to: { n_7d: n } }) => ({ y: mean_7d })', ['from.mean_7d', 'to.n_7d']],
    ['({ from, to }) => ({ y: meanOf(from) - meanOf(to) })', ['from.mean_7d', 'to.mean_7d']],
    ['({ request, to }) => ({ y: ratio(request, to) })', ['request.miles', 'to.mean_7d']],
    [
      '(inputs) => ({ y: inputs.from.mean_7d ?? inputs.to?.mean_7d ?? inputs.request.miles })',
      ['from.mean_7d', 'request.miles', 'to.mean_7d'],
    ],
    ['(inputs) => { const { from } = inputs; return { y: from.mean_7d }; }', ['from.mean_7d']],
    ['(inputs) => { const { mean_7d } = inputs.from; return { y: mean_7d }; }', ['from.mean_7d']],
    ['rules.ratio', ['from.mean_7d', 'request.miles']],
    ['() => ({ y: 1 })', []],
    // All of an input, and of the others what is seen.
    ['({ from, to }) => ({ y: all(from) + (to.n_7d == null ? 0 : 1) })', ['from', 'to.n_7d']],
    ['({ from }) => ({ y: from[column] })', ['from']],
    ['({ from, to }) => { const both = { ...from, ...to }; return { y: both.mean_7d }; }', ['from', 'to']],
    ['({ from: { mean_7d, ...rest } }) => ({ y: mean_7d })', ['from']],
    ['({ from = {} as any }) => ({ y: from.mean_7d })', ['from']],
    ['({ from }) => ({ y: [1].map((from: any) => from)[0] })', ['from']],
    ['(inputs) => ({ y: all(inputs.from) + inputs.from.mean_7d })', ['from']],
    // Any input.
    ['(inputs) => ({ y: all(inputs) })', undefined],
    ['({ from, ...rest }) => ({ y: from.mean_7d })', undefined],
    [`(inputs) => ({ y: inputs[column === 'x' ? 'from' : 'to'].mean_7d })`, undefined],
    ['function () { return { y: arguments[0].from.mean_7d }; }', undefined],
  ];

  it.each(cases)('%s', async (transform, reads) => {
    const definitions = await loadFiles(repository(transform));
    expect(functionRefs(definitions)['onDemand/v']?.reads).toEqual(reads);
    // What it really reads is among what it is seen to read.
    const read = new Set<string>();
    callFunction(definitions, 'onDemand/v', watched(read));
    if (reads !== undefined) {
      for (const one of read) expect(reads.includes(one) || reads.includes(one.split('.')[0] ?? '')).toBe(true);
    }
  });
});

/** Inputs that tell which of their members are asked for. */
function watched(read: Set<string>): unknown {
  const values: Readonly<Record<string, object>> = {
    request: { miles: 1, at: new Date(0) },
    from: { mean_7d: 2, n_7d: 3n },
    to: { mean_7d: 4, n_7d: 5n },
  };
  const inputs = Object.entries(values).map(([input, members]) => [
    input,
    new Proxy(members, {
      get(target, member, receiver) {
        if (typeof member === 'string') read.add(`${input}.${member}`);
        return Reflect.get(target, member, receiver) as unknown;
      },
    }),
  ]);
  return Object.fromEntries(inputs) as unknown;
}
