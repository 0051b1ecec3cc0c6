import { describe, expect, it } from 'vitest';
import type { Field, Row, Value } from '../../src/core/index.ts';
import {
  compileDerive,
  compileTransform,
  type DeriveSpec,
  type OnDemandViewSpec,
  type UserFunction,
} from '../../src/definitions/index.ts';

const hash = '0'.repeat(64);
const fields = (types: Readonly<Record<string, Field['type']>>): Field[] =>
  Object.entries(types).map(([name, type]) => ({ name, type }));
const derive = (type: Field['type']): DeriveSpec => ({
  name: 'd',
  type,
  by: { kind: 'function', function: { id: 'source/s/derive/d', hash } },
});
const columns = fields({
  at: { kind: 'timestamp' },
  n: { kind: 'int64' },
  times: { kind: 'list', of: { kind: 'timestamp' } },
});
const callDerive = (run: UserFunction, given: readonly Field[], spec: DeriveSpec, row: Row): Value =>
  compileDerive(run, given, spec)(given.map(({ name }) => row[name] ?? null));
// The calls check what these return.
const fn = (run: (row: Record<string, unknown>) => unknown): UserFunction => run as UserFunction;

describe('a derive function', () => {
  const row = { at: 1_500_999, n: 5n, times: [2_000_000, null] };

  it('sees a Date for a timestamp, a bigint for an int64, lists of them too', () => {
    let seen: Record<string, unknown> = {};
    callDerive(
      fn((given) => {
        seen = given;
        return null;
      }),
      columns,
      derive({ kind: 'bool' }),
      row,
    );
    expect(seen).toEqual({ at: new Date(1500), n: 5n, times: [new Date(2000), null] });
  });

  it('gives values back as they are held inside', () => {
    const give = (type: Field['type'], value: unknown) =>
      callDerive(
        fn(() => value),
        columns,
        derive(type),
        row,
      );
    expect(give({ kind: 'timestamp' }, new Date(2))).toBe(2000);
    expect(give({ kind: 'int64' }, 3)).toBe(3n);
    expect(give({ kind: 'float32' }, 0.1)).toBe(Math.fround(0.1));
    expect(give({ kind: 'vector', size: 2 }, [1, 2])).toEqual(Float32Array.of(1, 2));
    expect(give({ kind: 'list', of: { kind: 'timestamp' } }, [new Date(1), null])).toEqual([1000, null]);
    expect(give({ kind: 'bool' }, undefined)).toBeNull();
  });

  it.each([
    ['int32', 1.5],
    ['int32', 2 ** 31],
    ['int64', 1.5],
    ['int64', 2n ** 63n],
    ['string', 1],
    ['bool', 1],
    ['timestamp', new Date(Number.NaN)],
    ['timestamp', new Date('2255-06-06')],
    ['timestamp', new Date(-8.64e15)],
    ['timestamp', '9999-12-31'],
    ['float64', '1'],
    ['float64', Promise.resolve(1)],
  ] as const)('is refused when it gives a wrong %s: %s', (kind, value) => {
    expect(() =>
      callDerive(
        fn(() => value),
        columns,
        derive({ kind }),
        row,
      ),
    ).toThrow(
      expect.objectContaining({
        code: 'HR_TRANSFORM_FAILED',
        message: expect.stringContaining(`"d": expected ${kind}`),
      }),
    );
  });

  it('is named when it throws', () => {
    expect(() =>
      callDerive(
        fn(() => {
          throw new TypeError('boom');
        }),
        columns,
        derive({ kind: 'bool' }),
        row,
      ),
    ).toThrow(/derived column "d": its function threw: boom/);
  });
});

describe('a transform', () => {
  const view: OnDemandViewSpec = {
    name: 'departure',
    features: fields({ hour: { kind: 'int32' }, at: { kind: 'timestamp' } }),
    transform: { id: 'onDemand/departure', hash },
    inputs: [
      { kind: 'request', name: 'request', columns: fields({ at: { kind: 'timestamp' } }) },
      { kind: 'view', name: 'v', view: 'v', keyColumns: [] },
    ],
  };
  const inputs = {
    request: fields({ at: { kind: 'timestamp' } }),
    v: fields({ a: { kind: 'float64' }, b: { kind: 'int64' } }),
  };
  const call = (run: (given: Record<string, Record<string, unknown>>) => unknown) =>
    compileTransform(view, run as UserFunction, inputs)({ request: [7_200_000_000], v: [1.5, null] });

  it('gets its inputs by name and gives its features by position', () => {
    expect(
      call(({ request, v }) => ({
        at: request?.['at'],
        hour: new Date(String(request?.['at'])).getUTCHours() + Number(v?.['a']) * 2,
      })),
    ).toEqual([5, 7_200_000_000]);
  });

  it('is refused when a feature is missing, wrong, or the result no object', () => {
    expect(() => call(() => ({ hour: 1 }))).toThrow(
      /view "departure", feature "at": expected timestamp or null, got undefined/,
    );
    expect(() => call(() => ({ hour: 'x', at: null }))).toThrow(
      /feature "hour": expected int32 or null, got string "x"/,
    );
    expect(() => call(() => null)).toThrow(/expected its transform to return an object of hour, at, got null/);
    expect(() => call(async () => ({ hour: 1, at: null }))).toThrow(/a Promise: the function must be synchronous/);
    expect(() =>
      call(() => {
        throw new Error('boom');
      }),
    ).toThrow(/its transform threw: boom/);
    const late = {
      get hour(): number {
        throw new Error('late boom');
      },
      at: null,
    };
    expect(() => call(() => late)).toThrow(/its transform threw: late boom/);
  });
});
