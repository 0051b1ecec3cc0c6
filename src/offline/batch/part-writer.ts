// Writes parts of a batch: rows of the file of features through the model, by one query of a DuckDB of the thread's own, in
// which the model is a function. Memory is that of a chunk and of a row group, however many rows there are.

import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { BIGINT, BOOLEAN, DuckDBScalarFunction, type DuckDBStructVector, STRUCT, VARCHAR } from '@duckdb/node-api';
import { HeadraceError, toHeadraceError, type Value } from '../../core/index.ts';
import type { BatchModel } from '../../models/index.ts';
import { readerOf, toDuck, type ValueReader } from '../duckdb/vector-values.ts';
import { fileHash } from '../sources/file-identity.ts';
import { queryWork } from '../sources/source-errors.ts';
import { BAD_ROW_ADVICE, ERROR_COLUMN } from './error-column.ts';
import { CHUNK_ROWS, nodeDuckType, openDuckDb, quoteName, quoteText } from '../../storage/index.ts';
import { openPartModel } from './open-part-model.ts';
import { ERROR_OUTPUT, MODEL_COLUMNS, ROW_NUMBER } from './output-columns.ts';
import type { PartOrder, PartWork } from './part-messages.ts';

export interface WrittenPart {
  readonly failed: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface PartWriter {
  /**
   * Throws HR_STORAGE_FULL, and with `badRows: 'fail'` the first row's error that is met, naming the row. Nothing is left of a
   * part that failed.
   */
  write(order: PartOrder): Promise<WrittenPart>;
  close(): Promise<void>;
}

/** `onScored` is told of rows that are through the model. Throws as `openPartModel`. */
export async function openPartWriter(work: PartWork, onScored: (rows: number) => void): Promise<PartWriter> {
  const { service, featureFile } = work;
  const model = openPartModel(work, CHUNK_ROWS);
  const duckdb = await openDuckDb({
    tempDirectory: work.spill,
    memory: `${Math.max(128, Math.floor(work.memoryBytes / 1e6))}MB`,
    threads: 1,
  });
  const connection = await duckdb.connect();
  const count = { failed: 0 };
  connection.registerScalarFunction(predictFunction(work, model, count, onScored));
  return {
    async write({ from, to, path }) {
      count.failed = 0;
      const features = service.features.map(({ name }) => quoteName(name));
      const marks = work.badRows === 'mark';
      const bad = marks ? `${ERROR_COLUMN} IS NOT NULL` : 'false';
      const rows = `(SELECT *, ${FUNCTION}(${ROW_NUMBER}, ${[bad, ...features].join(', ')}) AS __hr_out FROM read_parquet(${quoteText(featureFile)}, ${ROW_NUMBER} = true) WHERE ${ROW_NUMBER} >= ${from} AND ${ROW_NUMBER} < ${to})`;
      const how = work.format === 'csv' ? 'FORMAT csv, HEADER' : 'FORMAT parquet, COMPRESSION zstd';
      try {
        await queryWork(`${path} cannot be written`, 'HR_STORAGE_UNAVAILABLE', () =>
          connection.run(`COPY (SELECT ${selected(work).join(', ')} FROM ${rows}) TO ${quoteText(path)} (${how})`),
        );
        return { failed: count.failed, bytes: statSync(path).size, sha256: await fileHash(path) };
      } catch (thrown) {
        await rm(path, { force: true });
        throw thrown;
      }
    },
    async close() {
      connection.closeSync();
      await duckdb.close();
      model.close();
    },
  };
}

const FUNCTION = '__hr_predict';

function selected({ columns, hasFeatures, service, spec, version, variant, badRows }: PartWork): string[] {
  const [model, versionName, variantName] = MODEL_COLUMNS;
  return [
    ...columns.map(quoteName),
    ...(hasFeatures ? service.features.map(({ name }) => quoteName(name)) : []),
    ...spec.outputs.map(({ name }) => `__hr_out.${quoteName(name)} AS ${quoteName(name)}`),
    `${quoteText(spec.name)} AS ${model}`,
    `${version}::INTEGER AS ${versionName}`,
    `${variant === null ? 'NULL::VARCHAR' : quoteText(variant)} AS ${variantName}`,
    ...(badRows === 'mark' ? [`coalesce(${ERROR_COLUMN}, __hr_out.${ERROR_COLUMN}) AS ${ERROR_OUTPUT}`] : []),
  ];
}

/** Row number, whether the row is bad already, then the features; gives a STRUCT of the outputs and, with marks, the error. */
function predictFunction(
  { service, spec, badRows }: PartWork,
  model: BatchModel,
  count: { failed: number },
  onScored: (rows: number) => void,
): DuckDBScalarFunction {
  const { features } = service;
  const { outputs } = spec;
  const values = new Array<Value>(features.length).fill(null);
  return DuckDBScalarFunction.create({
    name: FUNCTION,
    parameterTypes: [BIGINT, BOOLEAN, ...features.map(({ type }) => nodeDuckType(type))],
    returnType: STRUCT({
      ...Object.fromEntries(outputs.map(({ name, type }) => [name, nodeDuckType(type)])),
      ...(badRows === 'mark' ? { [ERROR_COLUMN]: VARCHAR } : {}),
    }),
    specialHandling: true,
    volatile: true,
    mainFunction(info, chunk, out) {
      try {
        const struct = out as DuckDBStructVector; // The return type is the STRUCT above.
        const vectors = outputs.map((_, at) => struct.entryVectorAt(at));
        const errors = badRows === 'mark' ? struct.entryVectorAt(outputs.length) : undefined;
        const isBad = chunk.getColumnVector(1);
        const readers = features.map(({ type }, at) => readerOf(chunk.getColumnVector(at + 2), type));
        const good: number[] = [];
        for (let row = 0; row < chunk.rowCount; row++) {
          if (isBad.getItem(row) !== true) good.push(row);
          else {
            count.failed++;
            for (const vector of vectors) vector.setItem(row, null);
            errors?.setItem(row, null);
          }
        }
        const rowAt = (at: number): readonly Value[] => {
          const row = good[at] as number;
          for (let i = 0; i < readers.length; i++) values[i] = (readers[i] as ValueReader)(row);
          return values;
        };
        model.score(good.length, rowAt, (at, result) => {
          const row = good[at] as number;
          if (result instanceof HeadraceError) {
            if (errors === undefined) throw named(result, chunk.getColumnVector(0).getItem(row));
            count.failed++;
            for (const vector of vectors) vector.setItem(row, null);
            errors.setItem(row, `${result.code}: ${result.message}`);
            return;
          }
          for (let i = 0; i < vectors.length; i++)
            vectors[i]?.setItem(row, toDuck((outputs[i] as (typeof outputs)[number]).type, result[i] ?? null));
          errors?.setItem(row, null);
        });
        out.flush();
        onScored(chunk.rowCount);
      } catch (thrown) {
        const { code, message } = toHeadraceError(thrown);
        info.setError(`${code}: ${message}`);
      }
    },
  });
}

function named({ code, message, cause }: HeadraceError, row: unknown): HeadraceError {
  return new HeadraceError(code, `the input's row ${Number(row) + 1}: ${message} ${BAD_ROW_ADVICE}`, { cause });
}
