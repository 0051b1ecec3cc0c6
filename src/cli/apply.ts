// `headrace apply`: versions the definitions in the registry. A breaking change asks on a terminal, else wants --yes.

import { createInterface } from 'node:readline/promises';
import { HeadraceError } from '../core/index.ts';
import { defineCommand } from './command.ts';
import { describeReport } from './plan/describe-plan.ts';
import { preparePlan } from './plan/prepare-plan.ts';
import { describeServers, presentServer } from './servers.ts';

export const applyCommand = defineCommand({
  usage: 'apply',
  summary: 'version the definitions in the registry',
  example: 'headrace apply --yes',
  options: (command) =>
    command
      .option('--yes', 'go ahead with breaking changes without asking')
      .option('--allow-older', 'go ahead from a commit that comes before the one that is applied'),
  async run(context, _args, options) {
    const app = await context.app();
    const { applyRepository, migrateTables, refuseOlderCommit, waitForServers } = await import('../app/index.ts');
    // All or none: what the plan opens would be migrated by itself, and an apply that is refused would leave the rest behind.
    await migrateTables(app);
    const { report } = await preparePlan(context, app);
    const { baseRevision, ...told } = report;
    const { breaking, refused: refusals } = told;
    context.tell(describeReport(report, context.paint('stderr'), options['yes'] === true));
    let allowBreaking = options['yes'] === true;
    // What is refused anyway needs no yes.
    const isToAgree = breaking.length > 0 && !allowBreaking && refusals.length === 0;
    if (isToAgree && process.stdin.isTTY && !context.isJson) {
      allowBreaking = await confirm(
        `Apply ${breaking.length} breaking ${breaking.length === 1 ? 'change' : 'changes'}? [y/N] `,
      );
    }
    const allowOlder = options['allowOlder'] === true;
    if (isToAgree && !allowBreaking && !context.isJson) {
      // What an old working copy lacks is no reason to let it break what is in use.
      if (!allowOlder) await refuseOlderCommit(app);
      throw refused(breaking.length);
    }
    const request = { allowBreaking, allowOlder, expectedRevision: baseRevision };
    const { revision, hash } = await applyRepository(app, request);
    const servers = await waitForServers(app, revision);
    const verb = revision === baseRevision ? 'Unchanged' : 'Applied';
    return {
      json: { revision, hash, ...told, servers: servers.map(presentServer) },
      text: [`${verb}: revision ${revision}, ${hash.slice(0, 12)}.`, ...describeServers(servers, revision)].join('\n'),
    };
  },
});

/** Why is told by the plan, which stands above it. */
function refused(count: number): HeadraceError {
  const what = count === 1 ? '1 change breaks' : `${count} changes break`;
  return new HeadraceError('HR_BREAKING_CHANGE', `${what} what is in use. \`apply --yes\` goes ahead.`);
}

async function confirm(question: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(question)).trim());
  } finally {
    prompt.close();
  }
}
