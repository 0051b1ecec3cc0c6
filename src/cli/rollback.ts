// `headrace rollback [REVISION]`: applies what was applied before, from the registry and the artifact store alone.

import { defineCommand, usageError } from './command.ts';
import { describeReport } from './plan/describe-plan.ts';
import { openReport } from './plan/prepare-plan.ts';
import { describeServers, presentServer } from './servers.ts';

export const rollbackCommand = defineCommand({
  usage: 'rollback [revision]',
  summary: 'apply a former revision again, the one before the last when left out; no working copy is needed',
  example: 'headrace rollback 7',
  options: (command) => command.option('--dry-run', 'say what it would change and whom it breaks, and change nothing'),
  async run(context, [written], options) {
    if (written !== undefined && !/^[1-9]\d{0,9}$/.test(written))
      throw usageError(`rollback takes a revision's number, got "${written}".`);
    const app = await context.app(options['dryRun'] === true ? 'read' : 'write');
    const { findRollback, rollBack, waitForServers } = await import('../app/index.ts');
    const found = await findRollback(app, written === undefined ? undefined : Number(written));
    const report = await (await openReport(app))(found.manifest, { isRestored: true });
    const { baseRevision, ...told } = report;
    context.tell(describeReport(report, context.paint('stderr'), true));
    if (options['dryRun'] === true) {
      const text = `Revision ${found.target.revision} would be applied again. Nothing was changed.`;
      return { json: { revision: baseRevision, to: found.target.revision, ...told }, text };
    }
    const { revision, hash } = await rollBack(app, found);
    const servers = await waitForServers(app, revision);
    const verb = revision === baseRevision ? 'Unchanged' : 'Applied again';
    return {
      json: { revision, hash, ...told, servers: servers.map(presentServer) },
      text: [`${verb}: revision ${revision}, ${hash.slice(0, 12)}.`, ...describeServers(servers, revision)].join('\n'),
    };
  },
});
