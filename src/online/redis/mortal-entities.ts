// Which entities' records may end, noted at each node before the first such write: where one never could, a base is
// written without a second command that takes an expiry off.

import type { NodeLinks } from './cluster/node-links.ts';
import type { RedisNode } from './cluster/topology.ts';
import { mortalKey } from './node-values.ts';
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
  /** Resolves once every node knows of the entities. */
  note(links: NodeLinks, entities: ReadonlySet<string>): Promise<void>;
}

export function createMortalNotes(project: string): MortalNotes {
  // A new connection may be to a server that lost the note.
  const noted = new WeakMap<Connection, { readonly epoch: number; readonly entities: Set<string> }>();

  return {
    async note(links, entities) {
      const notes: Promise<void>[] = [];
      for (const node of links.topology.nodes) {
        const connection = links.toNode(node.name);
        // Nothing can be written to a node that is down: it is noted when it is back.
        if (!connection.isReady) await connection.tried;
        if (!connection.isReady) continue;
        let known = noted.get(connection);
        if (known === undefined || known.epoch !== connection.epoch) {
          known = { epoch: connection.epoch, entities: new Set() };
          noted.set(connection, known);
        }
        const at = known;
        for (const entity of entities) {
          if (at.entities.has(entity)) continue;
          notes.push(noteMortal(connection, node, project, entity).then(() => void at.entities.add(entity)));
        }
      }
      await Promise.all(notes);
    },
  };
}
