import { describe, expect, it } from 'vitest';
import type { Field, Row, Value } from '../../src/core/index.ts';
import {
  compileDerive,
  compileTransform,
  type OnDemandViewSpec,
  type UserFunction,
} from '../../src/definitions/index.ts';

const hash = '0'.repeat(64);
type Type = Field['type'];
const fields = (types: Readonly<Record<string, Type>>): Field[] =>
  Object.entries(types).map(([name, type]) => ({ name, type }));
const [float64, int64, timestamp] = [{ kind: 'float64' }, { kind: 'int64' }, { kind: 'timestamp' }] as const;

describe('a derive function', () => {
  const columns = fields({ at: timestamp, n: int64, times: { kind: 'list', of: timestamp } });
  const row: Row = { at: 1_500_999, n: 5n, times: [2_000_000, null] };
  const derive = (type: Type, run: (row: Record<string, unknown>) => unknown): Value => {
    const by = { kind: 'function', function: { id: 'source/s/derive/d', hash } } as const;
    // What it returns is checked by the call.
    return compileDerive(run as UserFunction, columns, { name: 'd', type, by })(
      columns.map(({ name }) => row[name] ?? null),
    );
  };

  it('sees a Date for a timestamp, a bigint for an int64, lists of them too', () => {
    const seen: unknown[] = [];
    derive({ kind: 'bool' }, (given) => void seen.push(given));
    expect(seen).toEqual([{ at: new Date(1500), n: 5n, times: [new Date(2000), null] }]);
  });

  it.each<[Type, unknown, Value]>([
    [timestamp, new Date(2), 2000],
    [int64, 3, 3n],
    [{ kind: 'float32' }, 0.1, Math.fround(0.1)],
    [{ kind: 'vector', size: 2 }, [1, 2], Float32Array.of(1, 2)],
    [{ kind: 'list', of: timestamp }, [new Date(1), null], [1000, null]],
    [{ kind: 'bool' }, undefined, null],
  ])('gives a %o back as it is held inside', (type, value, held) => {
    expect(derive(type, () => value)).toEqual(held);
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
    const message = expect.stringContaining(`"d": expected ${kind}`);
    expect(() => derive({ kind }, () => value)).toThrow(
      expect.objectContaining({ code: 'HR_TRANSFORM_FAILED', message }),
    );
  });

  it('is named when it throws', () => {
    const fails = () => {
      throw new TypeError('boom');
    };
    expect(() => derive({ kind: 'bool' }, fails)).toThrow(/derived column "d": its function threw: boom/);
  });
});

describe('a transform', () => {
  const request = fields({ at: timestamp });
  const view: OnDemandViewSpec = {
    name: 'departure',
    features: fields({ hour: { kind: 'int32' }, at: timestamp }),
    transform: { id: 'onDemand/departure', hash },
    inputs: [
      { kind: 'request', name: 'request', columns: request },
      { kind: 'view', name: 'v', view: 'v', keyColumns: [] },
    ],
  };
  const inputs = { request, v: fields({ a: float64, b: int64 }) };
  const call = (run: (given: Record<string, Record<string, unknown>>) => unknown) =>
    compileTransform(view, run as UserFunction, inputs)({ request: [7_200_000_000], v: [1.5, null] });

  it('gets its inputs by name and gives its features by position', () => {
    const given = call(({ request, v }) => ({
      at: request?.['at'],
      hour: new Date(String(request?.['at'])).getUTCHours() + Number(v?.['a']) * 2,
    }));
    expect(given).toEqual([5, 7_200_000_000]);
  });

  const boom = (said: string) => (): never => {
    throw new Error(said);
  };
  const late = Object.defineProperty({ at: null }, 'hour', { get: boom('late boom') });
  it.each<[() => unknown, RegExp]>([
    [() => ({ hour: 1 }), /view "departure", feature "at": expected timestamp or null, got undefined/],
    [() => ({ hour: 'x', at: null }), /feature "hour": expected int32 or null, got string "x"/],
    [() => null, /expected its transform to return an object of hour, at, got null/],
    [async () => ({ hour: 1, at: null }), /a Promise: the function must be synchronous/],
    [boom('boom'), /its transform threw: boom/],
    [() => late, /its transform threw: late boom/],
  ])('is refused when a feature is missing or wrong, or the result no object: %s', (run, message) => {
    expect(() => call(run)).toThrow(message);
  });
});
