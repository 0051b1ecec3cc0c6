// Removes all of a version from a node: its mark first, so that nobody builds on what is going; then its fields, hash by
// hash, as SCAN finds them. Others' fields of a hash stay.

import { type MarkPlace, removeMark } from './marks.ts';
import { baseField, isFieldOf, type RecordKeys } from './record-keys.ts';
import { encodeHead } from './resp/command-buffer.ts';
import type { Connection } from './resp/connection.ts';
import { isErrorReply, readReply, type Reply, type RedisReplyError } from './resp/reply.ts';
import { scanStep } from './scan-records.ts';

const HKEYS = encodeHead(2, 'HKEYS');

export interface Removal extends MarkPlace {
  readonly keys: RecordKeys;
  readonly entity: string;
  /** Before each step: throws once the version is another's to write. */
  checkOpen(): Promise<void>;
}

/** Gives how many hashes had a field of it. */
export async function removeVersion(removal: Removal): Promise<number> {
  const { connection, keys, entity, version, checkOpen } = removal;
  await removeMark(removal);
  const { name } = baseField(version);
  let removed = 0;
  let cursor = '0';
  do {
    await checkOpen();
    const [next, hashes] = await scanStep(connection, cursor, keys.pattern(entity));
    cursor = next;
    const fields = await fieldsOf(connection, hashes, name);
    const having = hashes.flatMap((hash, at) => ((fields[at]?.length ?? 0) === 0 ? [] : [{ hash, at }]));
    removed += having.length;
    if (having.length === 0) continue;
    await connection.request(
      (out) => {
        for (const { hash, at } of having) out.words('HDEL', hash, ...(fields[at] as readonly Buffer[]));
        return having.length;
      },
      (bytes, start) => {
        if (isErrorReply(bytes, start)) throw readReply(bytes, start) as RedisReplyError;
      },
    );
  } while (cursor !== '0');
  return removed;
}

/** Of each hash, the fields of the version whose base's field is `name`. */
async function fieldsOf(
  connection: Connection,
  hashes: readonly Buffer[],
  name: Buffer,
): Promise<readonly (readonly Buffer[])[]> {
  const found: Buffer[][] = Array.from({ length: hashes.length }, () => []);
  if (hashes.length === 0) return found;
  await connection.request(
    (out) => {
      for (const hash of hashes) {
        out.raw(HKEYS);
        out.bytes(hash);
      }
      return hashes.length;
    },
    (bytes, start, index) => {
      const reply: Reply = readReply(bytes, start);
      if (!Array.isArray(reply)) throw reply as RedisReplyError;
      // HKEYS gives words.
      const own = (reply as Buffer[]).filter((field) => isFieldOf(name, field, 0, field.length));
      found[index] = own.map((field) => Buffer.from(field));
    },
  );
  return found;
}
