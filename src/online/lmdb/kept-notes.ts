// What the store keeps of the registry that writes to it: its name and the greatest numbers of writers and runs, as JSON.

import { type NodeNotes, otherRegistry } from '../store-notes.ts';
import type { WriterLink } from '../online-store.ts';
import type { Db } from './open-lmdb.ts';

export interface KeptNotes {
  read(): NodeNotes;
  /** Within a transaction. False where another writer has the number. Throws HR_OTHER_REGISTRY. */
  noteWriter(writer: Pick<WriterLink, 'writer' | 'owner'>): boolean;
  /** Within a transaction. Throws HR_OTHER_REGISTRY. */
  noteRun(run: number, registry: string | undefined): void;
  /** Within a transaction. */
  adopt(registry: string): void;
}

/** `token`: of the writer of the greatest number. */
type Kept = NodeNotes & { readonly token: string };

const NOTHING: Kept = { registry: undefined, writer: 0, token: '', run: 0 };

export function createKeptNotes(db: Db, key: Buffer, path: string): KeptNotes {
  const read = (): Kept => {
    const value = db.getBinary(key);
    // What `write` below wrote.
    return value === undefined ? NOTHING : (JSON.parse(Buffer.from(value).toString()) as Kept);
  };
  const readOwn = (registry: string): Kept => {
    const kept = read();
    if (kept.registry !== undefined && kept.registry !== registry) throw otherRegistry(kept.registry, registry, path);
    return { ...kept, registry };
  };
  const write = (kept: Kept): void => db.putSync(key, Buffer.from(JSON.stringify(kept)));

  return {
    read,
    noteWriter({ writer, owner }) {
      if (owner === undefined) return true;
      const kept = readOwn(owner.registry);
      if (writer === kept.writer) return owner.token === kept.token;
      if (writer > kept.writer) write({ ...kept, writer, token: owner.token });
      return true;
    },
    noteRun(run, registry) {
      if (registry === undefined) return;
      const kept = readOwn(registry);
      if (run > kept.run) write({ ...kept, run });
    },
    adopt: (registry) => write({ ...read(), registry }),
  };
}
