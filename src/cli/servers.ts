// How far the servers that run have taken up what was applied, for `apply` and `rollback`.

import type { ServerRow } from '../registry/index.ts';

export function presentServer({ id, machine, pid, revision, failure }: ServerRow): object {
  return { id, machine, pid, revision, failure };
}

/** Nothing where no server runs. */
export function describeServers(servers: readonly ServerRow[], revision: number): string[] {
  if (servers.length === 0) return [];
  const serving = servers.filter((one) => (one.revision ?? 0) >= revision);
  const others = servers.filter((one) => !serving.includes(one));
  return [
    `${serving.length} of ${servers.length} ${servers.length === 1 ? 'server serves' : 'servers serve'} it.`,
    ...others.map(
      ({ machine, pid, failure }) => `  ${machine} (process ${pid}): ${failure ?? 'has not taken it up yet'}`,
    ),
  ];
}
