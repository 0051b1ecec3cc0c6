// What a node says of itself, kept on the node: the mark of a version's last run there, and the entities whose records
// may end. Each key's tag is of the node's first slot, so what loses the node's last writes loses these too.

import type { VersionId } from '../online-store.ts';
import { tagOfSlot } from './cluster/slots.ts';
import type { RedisNode } from './cluster/topology.ts';
import { escapeName } from './record-keys.ts';

/** Key of a mark, which holds good for the slots that the node had. */
export function markKey(node: RedisNode, project: string, version: VersionId): string {
  return `hr:mark:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}:${version}`;
}

/** A set of entities: only where one is in it can a hash have an expiry that must be taken off. */
export function mortalKey(node: RedisNode, project: string): string {
  return `hr:mortal:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}`;
}

/** A mark's value: the run, and whose records it wrote. */
export function packMark(run: number, { slots }: RedisNode): string {
  return slots === '' ? String(run) : `${run} ${slots}`;
}

/** The run of a mark; undefined for none, and where the node has other slots by now: it has records of another's marks. */
export function readMark(value: string, { slots }: RedisNode): number | undefined {
  const space = value.indexOf(' ');
  const [run, of] = space < 0 ? [value, ''] : [value.slice(0, space), value.slice(space + 1)];
  return of === slots ? Number(run) : undefined;
}
