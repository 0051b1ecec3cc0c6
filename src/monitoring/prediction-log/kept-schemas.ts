// A schema beside the Parquet files that are made by it: for readers of past hours, and for records whose own is damaged.

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type NamedSchema, readSchema } from './arm-schema.ts';
import { namesIn, parquetFolder, schemaFolder, temporaryFolder } from './segments.ts';

const FILE = 'schema.json';

export async function keepSchema(directory: string, named: NamedSchema): Promise<void> {
  const folder = schemaFolder(directory, named.schema.endpoint, named.id);
  if ((await readKeptSchema(folder, named.id)) !== undefined) return;
  const temporary = join(temporaryFolder(directory), `${named.id}-${randomBytes(6).toString('hex')}.json`);
  await mkdir(dirname(temporary), { recursive: true });
  const handle = await open(temporary, 'wx');
  try {
    await handle.writeFile(named.text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await mkdir(folder, { recursive: true });
  await rename(temporary, join(folder, FILE));
}

/** Undefined where there is none, or one that is torn. */
export async function readKeptSchema(folder: string, id: string): Promise<NamedSchema | undefined> {
  const text = await readFile(join(folder, FILE), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : readSchema(id, text);
}

/** The same for a schema of any endpoint. */
export async function findKeptSchema(directory: string, id: string): Promise<NamedSchema | undefined> {
  const root = parquetFolder(directory, 'predictions');
  for (const endpoint of await namesIn(root)) {
    const found = await readKeptSchema(join(root, endpoint, `schema=${id}`), id);
    if (found !== undefined) return found;
  }
  return undefined;
}
