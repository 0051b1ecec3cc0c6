// Which entities' records may end, noted at each node before the first such write: where one never could, a base is
// written without a second command that takes an expiry off.

import { tagOfSlot } from './cluster/slots.ts';
import type { RedisNode } from './cluster/topology.ts';
import { escapeName } from './record-keys.ts';
import { askOne } from './resp/ask-one.ts';
import type { Connection } from './resp/connection.ts';

export async function noteMortal(
  connection: Connection,
  node: RedisNode,
  project: string,
  entity: string,
): Promise<void> {
  await askOne(connection, 'SADD', mortalKey(node, project), entity);
}

export async function mortalEntities(
  connection: Connection,
  node: RedisNode,
  project: string,
): Promise<ReadonlySet<string>> {
  const members = await askOne(connection, 'SMEMBERS', mortalKey(node, project));
  // SMEMBERS gives words.
  return new Set((members as readonly Buffer[]).map(String));
}

// A set under a tag of the node's first slot: what loses the node's last writes loses it too.
function mortalKey(node: RedisNode, project: string): string {
  return `hr:mortal:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}`;
}
