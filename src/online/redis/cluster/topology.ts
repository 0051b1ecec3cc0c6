// Which nodes there are and which slots each has: one server that has them all, or a cluster's masters as the cluster
// tells it, asked anew on every sign of change.

import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisAddress } from '../redis-url.ts';
import { ConnectionLost } from '../resp/connection.ts';
import { askForSlots, type SlotRange } from './ask-for-slots.ts';
import { SLOTS } from './slots.ts';

export interface RedisNode {
  /**
   * Stays the same when another server takes over: `redis` for a server alone, `slots N` for the cluster's master whose
   * first slot is N.
   */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly firstSlot: number;
  /** The slots that it has, as ranges; empty for a server alone. Records move between nodes with their slots. */
  readonly slots: string;
}

export interface Topology {
  readonly isCluster: boolean;
  /** In order of their first slots; empty while a cluster has not answered yet. */
  readonly nodes: readonly RedisNode[];
  /** Undefined while unknown. */
  nodeOfSlot(slot: number): RedisNode | undefined;
  /** Asks the cluster; several calls at once are one. Never throws: what was known stays when nobody answers. */
  refresh(): Promise<void>;
  /** Why nobody answered the last time. */
  readonly failure: Error | undefined;
  onChange(listener: () => void): () => void;
  close(): void;
}

const REFRESH_MS = 5000;
/** While no answer or no connection is to be had. */
const ANXIOUS_REFRESH_MS = 250;
/** At most so often, however many commands are sent elsewhere. */
const LEAST_BETWEEN_MS = 50;

export function openTopology(address: RedisAddress): Topology {
  return address.isCluster ? openCluster(address) : openSingle(address);
}

function openSingle(address: RedisAddress): Topology {
  const { host, port } = address.nodes[0] as RedisAddress['nodes'][number];
  const node: RedisNode = { name: 'redis', host, port, firstSlot: 0, slots: '' };
  return {
    isCluster: false,
    nodes: [node],
    nodeOfSlot: () => node,
    refresh: async () => {},
    failure: undefined,
    onChange: () => () => {},
    close() {},
  };
}

function openCluster(address: RedisAddress): Topology {
  let nodes: readonly RedisNode[] = [];
  let owners: Uint16Array | undefined;
  let failure: Error | undefined = new ConnectionLost('the cluster has not answered yet');
  let asking: Promise<void> | undefined;
  let lastMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const closing = new AbortController();
  const listeners = new Set<() => void>();
  const asker = askForSlots(address);

  const topology: Topology = {
    isCluster: true,
    get nodes() {
      return nodes;
    },
    nodeOfSlot(slot) {
      return owners === undefined ? undefined : nodes[owners[slot] as number];
    },
    refresh() {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    get failure() {
      return failure;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      closing.abort();
      clearTimeout(timer);
      asker.close();
    },
  };
  return topology;

  async function ask(): Promise<void> {
    clearTimeout(timer);
    const waitMs = lastMs + LEAST_BETWEEN_MS - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: closing.signal }).catch(() => {});
    if (closing.signal.aborted) return;
    try {
      take(await asker.ask(nodes));
      failure = undefined;
    } catch (error) {
      failure = error as Error;
    }
    lastMs = performance.now();
    if (closing.signal.aborted) return;
    timer = setTimeout(() => void topology.refresh(), failure === undefined ? REFRESH_MS : ANXIOUS_REFRESH_MS);
    timer.unref();
  }

  function take(ranges: Awaited<ReturnType<typeof asker.ask>>): void {
    const found = new Map<string, RedisNode>();
    for (const { from, to, host, port } of joined(ranges)) {
      const place = `${host}:${port}`;
      const node = found.get(place) ?? { name: `slots ${from}`, host, port, firstSlot: from, slots: '' };
      found.set(place, { ...node, slots: `${node.slots}${node.slots === '' ? '' : ' '}${from}-${to}` });
    }
    const next = [...found.values()];
    const places = [...found.keys()];
    // Slots that nobody has go to a node that is not there.
    owners = new Uint16Array(SLOTS).fill(next.length);
    for (const { from, to, host, port } of ranges) owners.fill(places.indexOf(`${host}:${port}`), from, to + 1);
    const hasChanged =
      next.length !== nodes.length ||
      next.some((node, at) => {
        const old = nodes[at] as RedisNode;
        return node.slots !== old.slots || node.host !== old.host || node.port !== old.port;
      });
    nodes = next;
    if (hasChanged) for (const listener of listeners) listener();
  }
}

/** In order, neighbours of one master as one: a cluster may tell the same slots in other pieces. */
function joined(ranges: readonly SlotRange[]): SlotRange[] {
  const all: SlotRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    const goesOn = last?.to === range.from - 1 && last.host === range.host && last.port === range.port;
    if (goesOn) all[all.length - 1] = { ...last, to: range.to };
    else all.push(range);
  }
  return all;
}
