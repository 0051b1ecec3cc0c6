// Runs synchronous decoding that may meet a schema not looked up yet, looks it up, and runs it again.

import { type SchemaDirectory, UnknownSchema } from './schema-directory.ts';

export async function withSchemas<T>(schemas: SchemaDirectory, work: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UnknownSchema)) throw error;
      await schemas.load(error.fingerprint);
    }
  }
}
