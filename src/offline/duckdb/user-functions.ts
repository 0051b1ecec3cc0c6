// Users' functions inside queries: a derive or a transform becomes a scalar function of DuckDB, called a chunk at a time.
// What it throws reaches the query's caller as text that starts with the error's code (see source-errors.ts).

import { randomUUID } from 'node:crypto';
import {
  type DuckDBConnection,
  DuckDBScalarFunction,
  type DuckDBStructVector,
  type DuckDBVector,
  STRUCT,
  VARCHAR,
} from '@duckdb/node-api';
import { type Field, toHeadraceError, type Value } from '../../core/index.ts';
import {
  compileLazyDerive,
  compileTransform,
  type DeriveSpec,
  forgiving,
  type OnFailedValue,
  type ServiceTransform,
  type UserFunction,
} from '../../definitions/index.ts';
import { nodeDuckType } from '../../storage/index.ts';
import { readerOf, toDuck, type ValueReader } from './vector-values.ts';

/**
 * Registers a derived column's function; gives the name to call with the source's declared columns in order.
 * Names are new each time: a function of a name that a running query uses must not change under it.
 */
export function registerDerive(
  connection: DuckDBConnection,
  columns: readonly Field[],
  spec: DeriveSpec,
  userFunction: UserFunction,
  onFailed: OnFailedValue | undefined,
): string {
  const name = newName();
  const call = forgiving(compileLazyDerive(userFunction, columns, spec), spec, onFailed);
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      parameterTypes: columns.map(({ type }) => nodeDuckType(type)),
      returnType: nodeDuckType(spec.type),
      specialHandling: true,
      mainFunction(info, chunk, out) {
        try {
          const readers = columns.map(({ type }, i) => readerOf(chunk.getColumnVector(i), type));
          let row = 0;
          const read = (column: number) => (readers[column] as ValueReader)(row);
          for (; row < chunk.rowCount; row++) out.setItem(row, toDuck(spec.type, call(read)));
          out.flush();
        } catch (thrown) {
          info.setError(asText(thrown));
        }
      },
    }),
  );
  return name;
}

/**
 * Registers an on-demand view's transform; gives the name to call with every input's fields, input by input. It
 * returns a STRUCT of the view's features. With `errorColumn` that has one member more, which is text: why the function failed on
 * the row, whose features are null then; else it fails the query.
 */
export function registerTransform(
  connection: DuckDBConnection,
  transform: ServiceTransform,
  inputs: readonly (readonly Field[])[],
  userFunction: UserFunction,
  errorColumn?: string,
): string {
  const { view } = transform;
  const byName = Object.fromEntries(transform.inputs.map((input, i) => [input.name, inputs[i] as readonly Field[]]));
  const call = compileTransform(view, userFunction, byName as Record<string, Field[]>);
  const name = newName();
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      parameterTypes: inputs.flat().map(({ type }) => nodeDuckType(type)),
      returnType: STRUCT({
        ...Object.fromEntries(view.features.map((feature) => [feature.name, nodeDuckType(feature.type)])),
        ...(errorColumn === undefined ? {} : { [errorColumn]: VARCHAR }),
      }),
      specialHandling: true,
      mainFunction(info, chunk, out) {
        try {
          let at = 0;
          const readers = inputs.map((fields) => fields.map(({ type }) => readerOf(chunk.getColumnVector(at++), type)));
          // The return type is the STRUCT above.
          const struct = out as DuckDBStructVector;
          const vectors = view.features.map((_, i) => struct.entryVectorAt(i));
          const errors = errorColumn === undefined ? undefined : struct.entryVectorAt(vectors.length);
          for (let row = 0; row < chunk.rowCount; row++) {
            const given: Record<string, readonly Value[]> = {};
            transform.inputs.forEach((input, i) => {
              given[input.name] = (readers[i] as ValueReader[]).map((read) => read(row));
            });
            const values = errors === undefined ? call(given) : callOrError(call, given, errors, row);
            view.features.forEach(({ type }, i) => {
              vectors[i]?.setItem(row, toDuck(type, values[i] ?? null));
            });
          }
          out.flush();
        } catch (thrown) {
          info.setError(asText(thrown));
        }
      },
    }),
  );
  return name;
}

function callOrError(
  call: (given: Readonly<Record<string, readonly Value[]>>) => readonly Value[],
  given: Readonly<Record<string, readonly Value[]>>,
  errors: DuckDBVector,
  row: number,
): readonly Value[] {
  try {
    const values = call(given);
    errors.setItem(row, null);
    return values;
  } catch (thrown) {
    errors.setItem(row, asText(thrown));
    return [];
  }
}

function newName(): string {
  return `__hr_fn_${randomUUID().replaceAll('-', '')}`;
}

function asText(thrown: unknown): string {
  const error = toHeadraceError(thrown);
  return `${error.code}: ${error.message}`;
}
