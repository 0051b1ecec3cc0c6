// Circles in a graph of what needs what.

/** The nodes that each waits for; a node that is no key waits for none. */
export type Waits = ReadonlyMap<string, readonly string[]>;

/**
 * Circles that keep the graph from ever ending, each as the way around from a node back to it, the shortest there is; no node is in
 * two of them. None where the graph has an order.
 */
export function findCircles(waits: Waits): string[][] {
  const stuck = withoutOrder(waits);
  const told = new Set<string>();
  const circles: string[][] = [];
  for (const node of waits.keys()) {
    if (!stuck.has(node) || told.has(node)) continue;
    const circle = shortestWayBack(node, waits, stuck);
    if (circle === undefined || circle.some((one) => told.has(one))) continue;
    for (const one of circle) told.add(one);
    circles.push(circle);
  }
  return circles;
}

/** The nodes that can't be reached by going on from those that wait for none: in circles, or after one. */
function withoutOrder(waits: Waits): ReadonlySet<string> {
  const stuck = new Set(waits.keys());
  const followers = new Map<string, string[]>();
  const left = new Map<string, number>();
  for (const [node, needed] of waits) {
    const open = needed.filter((one) => waits.has(one));
    left.set(node, open.length);
    for (const one of open) {
      const known = followers.get(one);
      if (known === undefined) followers.set(one, [node]);
      else known.push(node);
    }
  }
  const free = [...stuck].filter((node) => left.get(node) === 0);
  // A list that grows while it is walked is walked to its end.
  for (const node of free) {
    stuck.delete(node);
    for (const follower of followers.get(node) ?? []) {
      const rest = (left.get(follower) ?? 0) - 1;
      left.set(follower, rest);
      if (rest === 0) free.push(follower);
    }
  }
  return stuck;
}

function shortestWayBack(start: string, waits: Waits, within: ReadonlySet<string>): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const next of waits.get(node) ?? []) {
      if (!within.has(next)) continue;
      if (next === start) {
        const way = [start];
        for (let at: string | undefined = node; at !== undefined && at !== start; at = cameFrom.get(at)) way.push(at);
        return [...way, start].reverse();
      }
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}
