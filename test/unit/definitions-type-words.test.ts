// What the compiler finds in a transform or a derived column, in the words of the definitions.

import { describe, expect, it } from 'vitest';
import { typeCheck } from '../../src/definitions/index.ts';
import { failureOf, writeRepository } from '../support/written-repository.ts';

const IMPORTS = `import { count, entity, featureView, latest, onDemandView as onDemand, parquet, t } from 'headrace';
const rides = parquet('rides', { path: 'x', columns: { id: t.string(), fare: t.float64(), at: t.timestamp() }, eventTime: 'at' });
export const spent = featureView('spent', { entity: entity('e', { keys: { id: t.string() } }), source: rides, features: { last_fare: latest('fare'), n: count().over('1d') } });
const inputs = { request: { fare: t.float64(), miles: t.float64() }, spent };
`;

const ride = (transform: string, features = '{ fare_per_mile: t.float64() }'): string =>
  `export const ride = onDemand('ride', { inputs, features: ${features},\n${transform} });`;
const derived = (by: string): string => `export const more = parquet('more', {
path: 'x', columns: { id: t.string(), fare: t.float64(), at: t.timestamp() }, eventTime: 'at',
derive: { tip: [t.float64(), ${by}] } });`;

const OF = 'the transform of on-demand view "ride"';

/** What is written, and what is said of it, as `line:column: message` with lines from its own first. */
const CASES: readonly (readonly [what: string, code: string, said: readonly unknown[]])[] = [
  [
    'returns under a misspelt name',
    ride('transform: ({ request }) => ({ fare_per_mil: request.fare })'),
    [`2:32: ${OF} returns "fare_per_mil", which is none of its features. Did you mean "fare_per_mile"?`],
  ],
  [
    'returns under a name that is far from the only one that is missing',
    ride('transform: ({ request }) => ({ fare_per_km: request.fare })'),
    [`2:32: ${OF} returns "fare_per_km", which is none of its features. Did you mean "fare_per_mile"?`],
  ],
  [
    'returns under a misspelt name, from a block',
    ride(
      'transform: ({ request }) => {\nif (request.fare == null) return { fare_per_mile: null };\nreturn { fare_per_mil: request.fare }; }',
    ),
    [`4:10: ${OF} returns "fare_per_mil", which is none of its features. Did you mean "fare_per_mile"?`],
  ],
  [
    'returns under one name too many',
    ride('transform: ({ request }) => ({ fare_per_mile: 1, extra: request.fare })'),
    [
      `2:50: ${OF} returns "extra", which is none of its features. Its features: fare_per_mile. Declare it among them, or leave it out`,
    ],
  ],
  [
    'returns without a feature',
    ride('transform: () => ({})'),
    [
      `2:19: ${OF} returns no "fare_per_mile". Return it, as null where it has no value, or take it out of its features`,
    ],
  ],
  [
    'returns from a function that is declared elsewhere',
    ride('transform: compute });\nfunction compute(_: object) { return { fare_per_km: 1 }; } void ({'),
    [`2:1: ${OF} returns "fare_per_km", which is none of its features. Did you mean "fare_per_mile"?`],
  ],
  [
    'returns as text where a number is declared',
    ride(`transform: () => ({ fare_per_mile: 'x' })`),
    [
      `2:21: ${OF} gives "fare_per_mile" as string; it is declared as t.float64(), which is number. Give that, or declare another type`,
    ],
  ],
  [
    'returns several features wrong, told one by one',
    ride(
      'transform: () => ({ fare_per_mil: 1, c: 1n, e: 1 })',
      '{ fare_per_mile: t.float64(), c: t.string(), d: t.bool() }',
    ),
    [
      `2:21: ${OF} returns "fare_per_mil", which is none of its features. Did you mean "fare_per_mile"?`,
      `2:38: ${OF} gives "c" as bigint; it is declared as t.string(), which is string. Give that, or declare another type`,
      `2:45: ${OF} returns "e", which is none of its features. Did you mean "d"?`,
    ],
  ],
  [
    'reads a column of the request that is not there',
    ride('transform: ({ request }) => ({ fare_per_mile: request.fares })'),
    [`2:55: ${OF}: input "request" has no column "fares". Did you mean "fare"?`],
  ],
  [
    'reads a column of the request that is far from any name',
    ride('transform: (all) => ({ fare_per_mile: all.request.xyz })'),
    [`2:51: ${OF}: input "request" has no column "xyz". The columns: fare, miles.`],
  ],
  [
    'reads a feature of a view that is not there',
    ride('transform: ({ spent }) => ({ fare_per_mile: spent.last_fair })'),
    [`2:51: ${OF}: input "spent" has no feature "last_fair". Did you mean "last_fare"?`],
  ],
  [
    'reads an input that is not there',
    ride('transform: ({ requests }) => ({ fare_per_mile: 1 })'),
    [`2:15: ${OF} has no input "requests". Did you mean "request"?`],
  ],
  [
    'reads a column of a row that is not there',
    derived('(row) => row.fore'),
    [`3:43: derived column "tip" of source "more": the row has no column "fore". Did you mean "fare"?`],
  ],
  [
    'reads what may be null',
    ride('transform: ({ request }) => ({ fare_per_mile: request.fare == null ? null : request.fare / request.miles })'),
    [`2:92: ${OF}: request.miles may be null, as every value may. Test it first, or put a value in its place with ??`],
  ],
  [
    'reads what may be null, and is handed on',
    ride('transform: ({ request }) => ({ fare_per_mile: Math.floor(request.fare) })'),
    [`2:58: ${OF}: request.fare may be null, as every value may. Test it first, or put a value in its place with ??`],
  ],
  [
    'reads what may be null, and is asked for a member',
    ride('transform: ({ request }) => ({ fare_per_mile: Number(request.fare.toFixed(2)) })'),
    [`2:54: ${OF}: request.fare may be null, as every value may. Test it first, or put a value in its place with ??`],
  ],
  [
    'reads what may be null, of a row that is asked for a member',
    derived('(row) => row.id.length'),
    [
      `3:39: derived column "tip" of source "more": row.id may be null, as every value may. Test it first, or put a value in its place with ??`,
    ],
  ],
  [
    'reads what may be null, and is taken apart where it is given',
    ride('transform: ({ request: { fare } }) => ({ fare_per_mile: fare * 2 })'),
    [`2:57: ${OF}: fare may be null, as every value may. Test it first, or put a value in its place with ??`],
  ],
  [
    'hands on null by a condition that only tests what may be null',
    ride('transform: ({ request }) => ({ fare_per_mile: Math.floor(request.fare === 1 ? null : 2) })'),
    [expect.stringMatching(/^2:\d+: Argument of type .*TS2345/)],
  ],
  [
    'calls a parameter of an inner function as its own',
    ride(`transform: ({ request }) => {
const half = (request: { fare: number | null }) => Math.floor(request.fare);
const twice = (request: { fare: number | null }) => request.fare * 2;
return { fare_per_mile: request.fare === null ? null : half({ fare: 1 }) + twice({ fare: 1 }) }; }`),
    [
      `3:63: Argument of type 'number | null' is not assignable to parameter of type 'number'. Type 'null' is not assignable to type 'number'. (TS2345)`,
      `4:53: 'request.fare' is possibly 'null'. (TS18047)`,
    ],
  ],
  [
    'derives a column of another type, told with both',
    derived('(row) => row.id'),
    [
      '3:30: derived column "tip" of source "more" gives string; it is declared as t.float64(), which is number. Give that, or declare another type',
    ],
  ],
  [
    'has any other mistake, in the compiler’s words with types that can be read',
    ride('transform: ({ request }) => { const n: string = request; return { fare_per_mile: Number(n) }; }'),
    [`2:37: Type '{ fare: float64; miles: float64; }' is not assignable to type 'string'. (TS2322)`],
  ],
];

// All of them are one repository, so that the compiler runs once.
const check = async (): Promise<ReadonlyMap<string, readonly string[]>> => {
  const files = Object.fromEntries(CASES.map(([, code], at) => [`case${at}.ts`, `${IMPORTS}${code}`]));
  const folder = await writeRepository(files);
  const { details } = await failureOf(typeCheck({ repoDirectory: folder, configDirectory: folder }));
  const said = new Map<string, string[]>();
  for (const { file = '', line = 0, column, message } of details)
    said.set(file, [...(said.get(file) ?? []), `${line - 4}:${column}: ${message}`]);
  return said;
};
let checked: ReturnType<typeof check> | undefined;

describe('what is said of a function that', () => {
  it.each(CASES.map(([what, , expected], at) => [what, at, expected] as const))('%s', async (_what, at, expected) => {
    const said = await (checked ??= check());
    expect(said.get(`case${at}.ts`)).toEqual(expected);
  });
});
