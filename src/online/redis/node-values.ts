// What a node says of itself, kept on the node: the mark of a version's last run there, and the entities whose records
// may end. Each key's tag is of the node's first slot, so what loses the node's last writes loses these too.

import type { VersionId } from '../online-store.ts';
import { tagOfSlot } from './cluster/slots.ts';
import type { RedisNode } from './cluster/topology.ts';
import { escapeName } from './record-keys.ts';

export function markKey(node: RedisNode, project: string, version: VersionId): string {
  return `hr:mark:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}:${version}`;
}

/** A set of entities: only where one is in it can a hash have an expiry that must be taken off. */
export function mortalKey(node: RedisNode, project: string): string {
  return `hr:mortal:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}`;
}
