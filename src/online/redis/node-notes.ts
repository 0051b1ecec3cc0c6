// What a writer leaves at each node before it first writes there, on each new connection again: the server behind it may
// have lost it.

import type { NodeLinks } from './cluster/node-links.ts';
import type { RedisNode } from './cluster/topology.ts';
import type { Connection } from './resp/connection.ts';

/** What one owner of connections has noted on each of them. */
export interface NodeNotes {
  /**
   * Makes the notes of these names at every node. Resolves once those of `needed`, which will be written to, have them; a node
   * that nothing is written to is not waited for.
   */
  note(links: NodeLinks, names: ReadonlySet<string>, needed: () => ReadonlySet<Connection>): Promise<void>;
}

/** At one connection while it lasts and the note's place is the same: by name, its note, made or on its way. */
interface Noted {
  readonly epoch: number;
  readonly firstSlot: number;
  readonly names: Map<string, Promise<void> | 'made'>;
}

/** `make` makes the note of a name, at a node that may have it already. */
export function createNodeNotes(
  make: (connection: Connection, node: RedisNode, name: string) => Promise<void>,
): NodeNotes {
  // A new connection may be to a server that lost the note.
  const noted = new WeakMap<Connection, Noted>();

  const notedAt = (connection: Connection, { firstSlot }: RedisNode): Noted => {
    let known = noted.get(connection);
    if (known?.epoch !== connection.epoch || known.firstSlot !== firstSlot) {
      known = { epoch: connection.epoch, firstSlot, names: new Map() };
      noted.set(connection, known);
    }
    return known;
  };
  const isNoted = (connection: Connection, node: RedisNode, names: ReadonlySet<string>): boolean => {
    const known = notedAt(connection, node);
    for (const name of names) if (known.names.get(name) !== 'made') return false;
    return true;
  };

  const noteOne = (connection: Connection, node: RedisNode, name: string): Promise<void> => {
    const { names } = notedAt(connection, node);
    const before = names.get(name);
    if (before !== undefined) return before === 'made' ? Promise.resolve() : before;
    const noting = make(connection, node, name).then(
      () => void names.set(name, 'made'),
      (error: unknown) => {
        names.delete(name);
        throw error;
      },
    );
    names.set(name, noting);
    return noting;
  };
  const noteAll = async (connection: Connection, node: RedisNode, names: ReadonlySet<string>): Promise<void> => {
    if (!connection.isReady) await connection.tried;
    await Promise.all([...names].map((name) => noteOne(connection, node, name)));
  };

  return {
    async note(links, names, needed) {
      const missing = links.topology.nodes
        .map((node) => ({ node, connection: links.toNode(node.name) }))
        .filter(({ node, connection }) => !isNoted(connection, node, names));
      if (missing.length === 0) return;
      const waited = needed();
      const notes: Promise<void>[] = [];
      for (const { node, connection } of missing) {
        const noting = noteAll(connection, node, names);
        if (waited.has(connection)) notes.push(noting);
        // It is noted when something is written there.
        else noting.catch(() => {});
      }
      await Promise.all(notes);
    },
  };
}
