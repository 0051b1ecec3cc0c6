// `completeAfter` of a source: what it compiles to, and where it is out of place.

import { expect, it } from 'vitest';
import { compileDefinitions, parquet, pushed, t } from '../../src/definitions/index.ts';

const options = { columns: { at: t.timestamp() }, eventTime: 'at' } as const;
const compile = (source: object) =>
  compileDefinitions([{ file: 'a.ts', name: 'source', value: source }], { project: 'p', directory: '/' }).manifest
    .sources['events'];

it('is a duration in microseconds, and nothing where it is none', () => {
  const of = (completeAfter?: string) =>
    compile(parquet('events', { path: 'x', ...options, ...(completeAfter === undefined ? {} : { completeAfter }) }));
  expect(of('2h')).toMatchObject({ pushes: 'until-materialized', completeAfterMicros: 7_200_000_000 });
  expect(of()).not.toHaveProperty('completeAfterMicros');
  expect(of('0s')).toEqual(of());
});

it('is refused where it is no duration, and where pushed events are kept', () => {
  expect(() => compile(parquet('events', { path: 'x', ...options, completeAfter: 'soon' }))).toThrow(
    /completeAfter "soon" is not a duration/,
  );
  for (const source of [
    pushed('events', { ...options, completeAfter: '2h' }),
    parquet('events', { path: 'x', ...options, pushes: 'keep', completeAfter: '2h' }),
  ]) {
    expect(() => compile(source)).toThrow(/`completeAfter` is for files that get pushed events later/);
  }
});
