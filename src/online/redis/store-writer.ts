// A writer's way into Redis: lasting connections under its name to every node, parts by script, claims.

import type { Claim, PartWrite, StoreWriter, WriterLink } from '../online-store.ts';
import { createClaims } from './claims.ts';
import { type NodeLinks, openNodeLinks } from './cluster/node-links.ts';
import { createStillness } from './cluster/stillness.ts';
import type { Topology } from './cluster/topology.ts';
import type { PromisedReplicas, UnsaidSync } from './durable-writes.ts';
import { writerName } from './fence.ts';
import { noteWriter } from './kept-notes.ts';
import { noteMortal } from './mortal-entities.ts';
import { createNodeNotes } from './node-notes.ts';
import { putParts, withdrawParts } from './put-parts.ts';
import type { RecordKeys } from './record-keys.ts';
import { toRedisError, unavailable } from './redis-errors.ts';
import type { RedisAddress } from './redis-url.ts';
import { askOne } from './resp/ask-one.ts';
import { type Connection, ConnectionLost } from './resp/connection.ts';

/** Slots move one after the other: a node is looked at once none has for so long. */
const STILL_MS = 500;

/** The note of the writer itself, beside those of entities. */
const OWNER = '';

/** What a store's readers, writers and runs share. */
export interface RedisPlace {
  readonly project: string;
  readonly address: RedisAddress;
  readonly topology: Topology;
  readonly keys: RecordKeys;
  /** Of a node by its name. */
  promised(node: string): PromisedReplicas;
  /** Of a node by its name: it does not say when its file is synced. */
  onUnsaid(node: string, unsaid: UnsaidSync): void;
}

/** Resolves when each node was tried once; one that is down is tried for ever. */
export async function openStoreWriter(place: RedisPlace, link: WriterLink): Promise<StoreWriter> {
  const { project, address, topology, keys } = place;
  const name = writerName(project, link.writer, link.holder);
  const moved = createStillness(STILL_MS, link.onNode);
  const links = openNodeLinks({
    topology,
    address,
    name,
    onReady: (node) => link.onNode(node.name),
    // What came with slots may have been lost where they lay.
    onSlots: (node) => moved.stir(node.name),
  });
  /** Another writer has this one's number, by a node's notes. */
  let isTaken = false;
  const notes = createNodeNotes(async (connection, node, name) => {
    if (name !== OWNER) return noteMortal(connection, node, project, name);
    if (!(await noteWriter({ connection, node, project, label: address.label }, link))) isTaken = true;
  });
  const waiting: NodeLinks[] = [];
  const openWaiting = (): NodeLinks => {
    const opened = openNodeLinks({ topology, address, name });
    waiting.push(opened);
    return opened;
  };
  const claims = createClaims({ project, links, openWaiting, promised: place.promised, onUnsaid: place.onUnsaid });
  await links.tried();

  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toRedisError(error, address.label);
    }
  };

  const connectionsOf = (parts: readonly PartWrite[]): ReadonlySet<Connection> => {
    if (!topology.isCluster) return new Set([links.toSlot(0)]);
    return new Set(parts.map(({ entity, key }) => links.toSlot(keys.slotOf(entity, key))));
  };

  return {
    putParts: (parts) =>
      guarded(async () => {
        const noted = new Set(link.owner === undefined ? [] : [OWNER]);
        for (const { entity } of parts) if (link.lifetimeMs(entity) !== undefined) noted.add(entity);
        if (noted.size > 0) await notes.note(links, noted, () => connectionsOf(parts));
        return isTaken ? parts : putParts(links, keys, link.lifetimeMs, parts);
      }),
    withdraw: (parts) => guarded(() => withdrawParts(links, keys, parts)),
    claim: (given, onDurable) =>
      guarded(async () => {
        const found = await claims.ask(given.map((claim) => ({ id: claim.id, claim })));
        found.forEach(({ durable }, index) => onDurable?.(index, durable));
        // Somebody holds each id after a claim: the entry that claimed it, or an earlier one.
        return found.map(({ claim }) => claim as Claim);
      }),
    claims: (ids, onDurable) =>
      guarded(async () => {
        const found = await claims.ask(ids.map((id) => ({ id })));
        found.forEach(({ durable }, index) => onDurable?.(index, durable));
        return found.map(({ claim }) => claim);
      }),
    release: (given) => guarded(() => claims.release(given)),
    finish: (given) => guarded(() => claims.finish(given)),
    expire: (held, retentionMs) => guarded(() => claims.expire(held, retentionMs)),
    reach: () =>
      guarded(async () => {
        if (topology.nodes.length === 0) throw topology.failure ?? new ConnectionLost('none of its nodes is known');
        await Promise.all(topology.nodes.map((node) => askOne(links.toNode(node.name), 'PING')));
      }),
    nodeOf: (entity, key) => nodeOf(place, entity, key),
    nodeOfClaim: (id) => nodeOfSlot(place, () => claims.slotOf(id)),
    async close() {
      moved.close();
      links.close();
      for (const each of waiting) each.close();
    },
  };
}

/** The name of the node that has a record. Throws HR_ONLINE_UNAVAILABLE while a cluster's nodes are not known. */
export function nodeOf(place: RedisPlace, ...[entity, key]: Parameters<StoreWriter['nodeOf']>): string {
  return nodeOfSlot(place, () => place.keys.slotOf(entity, key));
}

function nodeOfSlot({ topology, address }: RedisPlace, slot: () => number): string {
  const node = topology.nodeOfSlot(topology.isCluster ? slot() : 0);
  if (node === undefined) throw unavailable(address.label, topology.failure?.message ?? 'no node has that slot');
  return node.name;
}
