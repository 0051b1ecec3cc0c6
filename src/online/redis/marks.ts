// A node's mark of a version: its last run there, kept on the node itself under a tag of its first slot, so that what
// loses the node's last writes loses the mark too. It holds good for the slots that the node had: one that has others by
// now has records of another's marks.

import type { NodeMark, VersionId } from '../online-store.ts';
import { tagOfSlot } from './cluster/slots.ts';
import type { RedisNode } from './cluster/topology.ts';
import { escapeName } from './record-keys.ts';
import { askOne } from './resp/ask-one.ts';
import type { Connection } from './resp/connection.ts';

export interface MarkPlace {
  readonly connection: Connection;
  readonly node: RedisNode;
  readonly project: string;
  readonly version: VersionId;
}

export async function readMark({ connection, ...place }: MarkPlace): Promise<NodeMark> {
  const { name, slots: own } = place.node;
  const found = await askOne(connection, 'GET', keyOf(place));
  if (found === null) return { node: name, run: undefined };
  const [run = '', ...slots] = String(found).split(' ');
  return slots.join(' ') === own
    ? { node: name, run: Number(run) }
    : { node: name, run: undefined, isOfOtherKeys: true };
}

export async function writeMark({ connection, ...place }: MarkPlace, run: number): Promise<void> {
  const { slots } = place.node;
  await askOne(connection, 'SET', keyOf(place), slots === '' ? String(run) : `${run} ${slots}`);
}

export async function removeMark({ connection, ...place }: MarkPlace): Promise<void> {
  await askOne(connection, 'DEL', keyOf(place));
}

function keyOf({ node, project, version }: Omit<MarkPlace, 'connection'>): string {
  return `hr:mark:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}:${version}`;
}
