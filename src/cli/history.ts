// `headrace history`: what was applied, by whom, from which commit, and which servers serve it.

import { formatTimestamp } from '../core/index.ts';
import type { Apply, ServerRow } from '../registry/index.ts';
import { defineCommand } from './command.ts';
import { formatTable } from './table.ts';

export const historyCommand = defineCommand({
  usage: 'history',
  summary: 'list what was applied, newest first: by whom, from which commit, and which servers serve it',
  example: 'headrace history',
  columns: {
    COMMIT: 'the commit that the feature repository was at; + where files differed from it',
    SERVERS: 'servers that have loaded the revision',
  },
  async run(context) {
    const registry = await (await context.app('read')).registry();
    const history = await registry.definitions.history();
    const servers = await registry.servers.list();
    const rows = history.map((apply) => [
      String(apply.revision),
      formatTimestamp(apply.appliedAtMicros),
      apply.actor,
      commitOf(apply),
      apply.hash.slice(0, 12),
      serving(servers, apply.revision).length === 0 ? '-' : String(serving(servers, apply.revision).length),
    ]);
    return {
      json: { revisions: history.map((apply) => present(apply, servers)) },
      text: formatTable(
        [['REVISION', 'APPLIED', 'BY', 'COMMIT', 'HASH', 'SERVERS'], ...rows],
        'Nothing is applied yet. Run `headrace apply`.',
      ),
    };
  },
});

function commitOf({ origin: { commit, isDirty } }: Apply): string {
  return commit === undefined ? '-' : `${commit.slice(0, 12)}${isDirty === true ? '+' : ''}`;
}

function serving(servers: readonly ServerRow[], revision: number): readonly ServerRow[] {
  return servers.filter((server) => server.revision === revision);
}

function present({ revision, hash, appliedAtMicros, actor, origin }: Apply, servers: readonly ServerRow[]): object {
  return {
    revision,
    hash,
    applied_at: formatTimestamp(appliedAtMicros),
    actor,
    commit: origin.commit ?? null,
    dirty: origin.isDirty ?? false,
    servers: serving(servers, revision).map(({ machine, pid }) => ({ machine, pid })),
  };
}
