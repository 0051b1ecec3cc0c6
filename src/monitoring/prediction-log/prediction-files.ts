// The prediction log's files of past hours, for whoever takes the log elsewhere: written once, each whole.

import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { parquetFolder } from './segments.ts';

export interface PredictionFile {
  /** Relative to the log's folder, with `/`. */
  readonly name: string;
  readonly path: string;
}

/** Parquet and the schemas that it is read by; what is not Parquet yet, the last hour or two, is not among them. */
export async function* predictionFiles(directory: string): AsyncIterable<PredictionFile> {
  for (const kind of ['predictions', 'outcomes', 'unit_outcomes'] as const) {
    const folder = parquetFolder(directory, kind);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw error;
      },
    );
    for (const entry of entries) {
      if (!entry.isFile() || !/\.(parquet|json)$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      yield { name: relative(directory, path).split(sep).join('/'), path };
    }
  }
}
