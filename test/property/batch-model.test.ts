// A batch's model against the serving runtime, row by row, whatever rows share a run: the same outputs bit for bit, the same failures.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createScope, type Field, HeadraceError, type Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import { compileBinding, createOnnxRuntime, openBatchModel, runRows } from '../../src/models/index.ts';
import { openDirectModel } from '../../src/models/onnx/direct-model.ts';
import { centeringModel, droppingModel, largestModel, linearModel } from '../support/onnx-model.ts';
import { lookUpModel, passThroughModel, singleRowModel, treesModel } from '../support/onnx-model.ts';
import { scoreRows } from '../support/score-rows.ts';
import { runs } from '../support/tier.ts';

type Kind = 'float64' | 'float32' | 'int64' | 'string' | 'bool';
const field = (name: string, kind: Kind): Field => ({ name, type: { kind } });
const floats = (count: number): Field[] => Array.from({ length: count }, (_, at) => field(`f${at}`, 'float64'));

const number = fc.oneof(
  fc.double({ min: -2, max: 2, noNaN: true }),
  fc.constantFrom(0, -0, 1e30, -1e-30, Infinity, Number.NaN),
  fc.constant(null),
);
const rowsOf = (value: fc.Arbitrary<Value>, width: number) =>
  fc.array(fc.array(value, { minLength: width, maxLength: width }), { maxLength: 40 });

interface Case {
  readonly onnx: Uint8Array;
  readonly features: readonly Field[];
  readonly outputs: readonly Field[];
  readonly rows: fc.Arbitrary<Value[][]>;
}

const ofFloats = (onnx: Uint8Array, width: number): Case => ({
  onnx,
  features: floats(width),
  outputs: [field('probability', 'float32')],
  rows: rowsOf(number, width),
});

const CASES: Readonly<Record<string, Case>> = {
  'trees, whose rows share a run': ofFloats(treesModel(5, 30, 4), 5),
  'a model of one row a run': ofFloats(singleRowModel(3), 3),
  'a model whose rows depend on each other': {
    onnx: centeringModel(3),
    features: floats(3),
    outputs: [{ name: 'centered', type: { kind: 'vector', size: 3 } }],
    rows: rowsOf(fc.integer({ min: -9, max: 9 }), 3),
  },
  'a model that fails on some rows': {
    onnx: lookUpModel(),
    features: [field('x', 'float64')],
    outputs: [field('ten', 'float32')],
    rows: rowsOf(fc.oneof(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 60, max: 70 })), 1),
  },
  'a model that gives no row for some': {
    onnx: droppingModel(),
    features: [field('x', 'float32')],
    outputs: [field('kept', 'float32')],
    rows: rowsOf(fc.integer({ min: -1, max: 9 }), 1),
  },
  'a model with an output besides that has no rows': {
    onnx: largestModel(),
    features: [field('x', 'float32')],
    outputs: [field('same', 'float32')],
    rows: rowsOf(fc.integer({ min: -9, max: 9 }), 1),
  },
  'texts, whole numbers and booleans, with defaults and without': {
    onnx: passThroughModel([
      { name: 'text', type: 'string', shape: [null] },
      { name: 'id', type: 'int64', shape: [null] },
      { name: 'flag', type: 'bool', shape: [null] },
    ]),
    features: [field('text', 'string'), { ...field('id', 'int64'), default: 7 }, field('flag', 'bool')],
    outputs: [field('text_out', 'string'), field('id_out', 'int64'), field('flag_out', 'bool')],
    rows: fc.array(
      fc.tuple(
        fc.oneof(fc.string(), fc.constantFrom('', 'ä€😀', 'a\0b'), fc.constant(null)),
        fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        fc.option(fc.boolean()),
      ),
      { maxLength: 40 },
    ) as fc.Arbitrary<Value[][]>,
  },
  'a sum': ofFloats(linearModel(2), 2),
};

const told = ({ code, message }: HeadraceError): string => `${code}: ${message}`;

const scope = () =>
  createScope({
    requestId: 'test',
    traceId: null,
    actor: { name: 'test', roles: new Set(), endpoints: null },
    deadlineMs: performance.now() + 60_000,
    priority: 'batch',
    span: undefined,
  });

describe('a batch’s model', () => {
  it.each(Object.entries(CASES))(
    'gives what a server gives: %s',
    async (_, { onnx, features, outputs, rows }) => {
      const spec: ModelSpec = { name: 'm', service: 's', outputs, providers: ['cpu'] };
      // A binding needs a service's features alone.
      const service = {
        name: 's',
        reads: [],
        onDemand: [],
        requestColumns: [],
        features,
      } as unknown as ResolvedService;
      const loaded = await createOnnxRuntime().load(onnx, { providers: ['cpu'], mayBlock: true });
      const binding = compileBinding(loaded.signature, service, spec);
      const model = openBatchModel(onnx, { service, spec, mostRows: 16 });
      // What graphs have in a batch.
      const direct = openDirectModel(onnx, { providers: ['cpu'], mostRows: 16 });
      try {
        await fc.assert(
          fc.asyncProperty(rows, async (given) => {
            const got = scoreRows(model, given, (result) => (result instanceof HeadraceError ? told(result) : result));
            for (const [at, row] of given.entries()) {
              const alone = await runRows(loaded, binding, [row], scope()).then(
                ([answer]) => answer ?? 'none',
                (thrown: unknown) => (thrown instanceof HeadraceError ? told(thrown) : String(thrown)),
              );
              expect(got[at], `row ${at}`).toStrictEqual(alone);
            }
            const good = given.filter((_, at) => Array.isArray(got[at]));
            const together = await runRows(direct as unknown as typeof loaded, binding, good, scope()).catch(
              () => 'none',
            );
            if (good.length > 0) expect(together).toStrictEqual(got.filter((one) => Array.isArray(one)));
          }),
          { numRuns: runs(30) },
        );
      } finally {
        model.close();
        direct.close();
        await loaded.close();
      }
    },
    60_000,
  );
});
