// `headrace rollback [REVISION]`: applies what was applied before, from the registry and the artifact store alone.

import { defineCommand, usageError } from './command.ts';
import { describeServers, presentServer } from './apply.ts';

export const rollbackCommand = defineCommand({
  usage: 'rollback [revision]',
  summary: 'apply a former revision again, the one before the last when left out; no working copy is needed',
  example: 'headrace rollback 7',
  async run(context, [written]) {
    if (written !== undefined && !/^[1-9]\d{0,9}$/.test(written))
      throw usageError(`rollback takes a revision's number, got "${written}".`);
    const app = await context.app();
    const { rollBack, waitForServers } = await import('../app/index.ts');
    const applied = await rollBack(app, written === undefined ? undefined : Number(written));
    const { revision, hash, changes } = applied;
    const servers = await waitForServers(app, revision);
    const verb = changes.length === 0 ? 'Unchanged' : 'Applied again';
    return {
      json: { revision, hash, changes, servers: servers.map(presentServer) },
      text: [`${verb}: revision ${revision}, ${hash.slice(0, 12)}.`, ...describeServers(servers, revision)].join('\n'),
    };
  },
});
