// Which entities' records may end, noted at each node before the first such write: where one never could, a base is
// written without a second command that takes an expiry off.

import type { NodeLinks } from './cluster/node-links.ts';
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

/** What one owner of connections has noted on each of them. */
export interface MortalNotes {
  /**
   * Notes the entities at every node. Resolves once those of `needed`, which will be written to, know of them; a node that
   * nothing is written to is not waited for.
   */
  note(links: NodeLinks, entities: ReadonlySet<string>, needed: () => ReadonlySet<Connection>): Promise<void>;
}

/** At one connection while it lasts and the note's place is the same: by entity, its note, made or on its way. */
interface Noted {
  readonly epoch: number;
  readonly firstSlot: number;
  readonly entities: Map<string, Promise<void> | 'made'>;
}

export function createMortalNotes(project: string): MortalNotes {
  // A new connection may be to a server that lost the note.
  const noted = new WeakMap<Connection, Noted>();

  const notedAt = (connection: Connection, { firstSlot }: RedisNode): Noted => {
    let known = noted.get(connection);
    if (known?.epoch !== connection.epoch || known.firstSlot !== firstSlot) {
      known = { epoch: connection.epoch, firstSlot, entities: new Map() };
      noted.set(connection, known);
    }
    return known;
  };
  const isNoted = (connection: Connection, node: RedisNode, entities: ReadonlySet<string>): boolean => {
    const known = notedAt(connection, node);
    for (const entity of entities) if (known.entities.get(entity) !== 'made') return false;
    return true;
  };

  const noteOne = (connection: Connection, node: RedisNode, entity: string): Promise<void> => {
    const { entities } = notedAt(connection, node);
    const before = entities.get(entity);
    if (before !== undefined) return before === 'made' ? Promise.resolve() : before;
    const noting = noteMortal(connection, node, project, entity).then(
      () => void entities.set(entity, 'made'),
      (error: unknown) => {
        entities.delete(entity);
        throw error;
      },
    );
    entities.set(entity, noting);
    return noting;
  };
  const noteAll = async (connection: Connection, node: RedisNode, entities: ReadonlySet<string>): Promise<void> => {
    if (!connection.isReady) await connection.tried;
    await Promise.all([...entities].map((entity) => noteOne(connection, node, entity)));
  };

  return {
    async note(links, entities, needed) {
      const missing = links.topology.nodes
        .map((node) => ({ node, connection: links.toNode(node.name) }))
        .filter(({ node, connection }) => !isNoted(connection, node, entities));
      if (missing.length === 0) return;
      const waited = needed();
      const notes: Promise<void>[] = [];
      for (const { node, connection } of missing) {
        const noting = noteAll(connection, node, entities);
        if (waited.has(connection)) notes.push(noting);
        // It is noted when something is written there.
        else noting.catch(() => {});
      }
      await Promise.all(notes);
    },
  };
}

// A set under a tag of the node's first slot: what loses the node's last writes loses it too.
function mortalKey(node: RedisNode, project: string): string {
  return `hr:mortal:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}`;
}
