// Asks a cluster who has which slots, of whichever node answers and is well: a master that was cut off from the others
// still believes what was true before.

import type { RedisAddress } from '../redis-url.ts';
import { type Connection, ConnectionLost, openConnection } from '../resp/connection.ts';
import { type Reply, readReply, RedisReplyError } from '../resp/reply.ts';

/** A range of slots, both ends in it, and its master. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly host: string;
  readonly port: number;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

export interface SlotAsker {
  /** `known` are tried first, then the addresses of the URL. Throws when none answers. */
  ask(known: readonly Place[]): Promise<readonly SlotRange[]>;
  close(): void;
}

export function askForSlots(address: RedisAddress): SlotAsker {
  let current: { readonly place: Place; readonly connection: Connection } | undefined;
  let isClosed = false;

  return {
    async ask(known) {
      let failure: Error = new ConnectionLost('no node of the cluster is known');
      // The last one that answered is still connected; after it every other, each once.
      const places = uniquePlaces([...(current === undefined ? [] : [current.place]), ...known, ...address.nodes]);
      for (const place of places) {
        if (isClosed) break;
        try {
          return await askAt(place);
        } catch (error) {
          failure = error as Error;
          current?.connection.close();
          current = undefined;
        }
      }
      throw failure;
    },
    close() {
      isClosed = true;
      current?.connection.close();
    },
  };

  async function askAt(place: Place): Promise<readonly SlotRange[]> {
    if (current === undefined || current.place.host !== place.host || current.place.port !== place.port) {
      current?.connection.close();
      const options = { ...place, login: address.login, name: 'hr:slots', isLasting: false };
      current = { place, connection: openConnection(options) };
    }
    const { connection } = current;
    await connection.tried;
    const replies: Reply[] = [];
    await connection.request(
      (out) => {
        out.words('CLUSTER', 'INFO');
        out.words('CLUSTER', 'SLOTS');
        return 2;
      },
      (bytes, start) => void replies.push(readReply(bytes, start)),
    );
    const [info, slots] = replies;
    for (const reply of replies) if (reply instanceof RedisReplyError) throw reply;
    if (!String(info).includes('cluster_state:ok'))
      throw new ConnectionLost('the cluster is down as that node sees it');
    return (slots as readonly Reply[]).map((range) => readRange(range, place));
  }
}

// A range: from, to, then its master: host (null or empty: the one that was asked), port, id …
function readRange(range: Reply, asked: Place): SlotRange {
  const [from, to, master] = range as readonly [number, number, readonly [Buffer | null, number]];
  const [host, port] = master;
  return { from, to, host: host === null || host.length === 0 ? asked.host : host.toString(), port };
}

function uniquePlaces(places: readonly Place[]): Place[] {
  const seen = new Map<string, Place>();
  for (const { host, port } of places) {
    const place = `${host}:${port}`;
    if (!seen.has(place)) seen.set(place, { host, port });
  }
  return [...seen.values()];
}
