// Row schemas by fingerprint: those this process writes, and those it met in stored rows and looked up in the store.

import type { OnlineStore } from './online-store.ts';
import { compileRowCodec, type RowCodec } from './row-codec.ts';
import { describeSchema, parseSchema, type RowSchema } from './row-schema.ts';

/** Thrown out of synchronous code that met a schema not looked up yet: load it and start again. */
export class UnknownSchema extends Error {
  readonly fingerprint: string;

  constructor(fingerprint: string) {
    super(`row schema ${fingerprint} has not been looked up`);
    this.fingerprint = fingerprint;
  }
}

export interface SchemaDirectory {
  /** The codec of a looked-up schema; null when the store does not know it; undefined when nobody asked yet. */
  find(fingerprint: string): RowCodec | null | undefined;
  /** Looks a schema up in the store, once. */
  load(fingerprint: string): Promise<void>;
  /** Makes sure the store holds the description before a row under it is written. */
  publish(schema: RowSchema): Promise<void>;
}

const directories = new WeakMap<OnlineStore, SchemaDirectory>();

/** The one directory of a store in this process. */
export function schemaDirectory(store: OnlineStore): SchemaDirectory {
  let directory = directories.get(store);
  if (directory === undefined) directories.set(store, (directory = createDirectory(store)));
  return directory;
}

function createDirectory(store: OnlineStore): SchemaDirectory {
  const codecs = new Map<string, RowCodec | null>();
  const published = new Set<string>();
  const nameOf = (fingerprint: string): string => `schema/${fingerprint}`;
  return {
    find: (fingerprint) => codecs.get(fingerprint),
    async load(fingerprint) {
      const text = await store.getMeta(nameOf(fingerprint));
      const schema = text === undefined ? undefined : parseSchema(fingerprint, text);
      codecs.set(fingerprint, schema === undefined ? null : compileRowCodec(schema));
    },
    async publish(schema) {
      if (published.has(schema.fingerprint)) return;
      const description = describeSchema(schema);
      const name = nameOf(schema.fingerprint);
      if ((await store.getMeta(name)) !== description) await store.setMeta(name, description);
      published.add(schema.fingerprint);
    },
  };
}
