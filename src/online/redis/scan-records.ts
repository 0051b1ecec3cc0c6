// Walks every record of a version over all nodes: SCAN, then HGETALL for the keys found, a page at a time. SCAN may give
// a key again on a later page. Never while serving.

import type { EncodedKey } from '../../core/index.ts';
import type { StoredRecord, VersionId } from '../online-store.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { HGETALL, readHash, recordOf } from './read-records.ts';
import { baseField, type RecordKeys } from './record-keys.ts';
import { type Connection, ConnectionLost } from './resp/connection.ts';
import { isErrorReply, readReply, type Reply, RedisReplyError } from './resp/reply.ts';

const COUNT = 1000;

export async function* scanRecords(
  links: NodeLinks,
  keys: RecordKeys,
  entity: string,
  version: VersionId,
): AsyncGenerator<{ readonly key: EncodedKey; readonly record: StoredRecord }> {
  const { nodes, failure } = links.topology;
  if (nodes.length === 0) throw failure ?? new ConnectionLost('none of its nodes is known');
  for (const node of nodes) {
    let cursor = '0';
    do {
      const connection = links.toNode(node.name);
      const [next, found] = await scanStep(connection, cursor, keys.pattern(entity));
      cursor = next;
      const records = await readHashes(connection, found, version);
      for (const [at, record] of records.entries()) {
        if (record !== undefined) yield { key: keys.entityKeyOf(found[at] as Buffer, entity), record };
      }
    } while (cursor !== '0');
  }
}

/** One step of SCAN: the next cursor, and the keys that it found. */
export async function scanStep(connection: Connection, cursor: string, pattern: string): Promise<[string, Buffer[]]> {
  let reply: Reply = null;
  if (!connection.isReady) await connection.tried;
  await connection.request(
    (out) => {
      out.words('SCAN', cursor, 'MATCH', pattern, 'COUNT', COUNT);
      return 1;
    },
    (bytes, start) => {
      reply = readReply(bytes, start);
    },
  );
  const scanned = reply as Reply;
  if (scanned instanceof RedisReplyError) throw scanned;
  // SCAN gives the next cursor and the keys.
  const [next, found] = scanned as readonly [Buffer, readonly Buffer[]];
  return [next.toString(), [...found]];
}

async function readHashes(
  connection: Connection,
  hashes: readonly Buffer[],
  version: VersionId,
): Promise<(StoredRecord | undefined)[]> {
  const records: (StoredRecord | undefined)[] = Array.from({ length: hashes.length });
  const { name } = baseField(version);
  await connection.request(
    (out) => {
      for (const hash of hashes) {
        out.raw(HGETALL);
        out.bytes(hash);
      }
      return hashes.length;
    },
    (bytes, start, index) => {
      if (isErrorReply(bytes, start)) throw readReply(bytes, start) as RedisReplyError;
      records[index] = recordOf(readHash(bytes, start, [name]), 0);
    },
  );
  return records;
}
