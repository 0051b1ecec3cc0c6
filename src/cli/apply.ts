// `headrace apply`: versions the definitions in the registry. A breaking change asks on a terminal, else wants --yes.

import { createInterface } from 'node:readline/promises';
import { defineCommand } from './command.ts';
import { describePlan, tellIfEmpty } from './plan.ts';

export const applyCommand = defineCommand({
  usage: 'apply',
  summary: 'version the definitions in the registry',
  example: 'headrace apply --yes',
  options: (command) => command.option('--yes', 'go ahead with breaking changes without asking'),
  async run(context, _args, options) {
    const app = await context.app();
    const { manifest } = await app.definitions();
    const { definitions } = await app.registry();
    const plan = await definitions.plan(manifest);
    tellIfEmpty(context, manifest, app.config.values.repo);
    context.tell(describePlan(plan));
    let allowBreaking = options['yes'] === true;
    if (plan.breaking.length > 0 && !allowBreaking && process.stdin.isTTY && !context.isJson) {
      allowBreaking = await confirm(`Apply ${plan.breaking.length} breaking change(s)? [y/N] `);
    }
    const applied = await definitions.apply(manifest, {
      actor: context.environment.actor,
      allowBreaking,
      expectedRevision: plan.baseRevision,
    });
    const { revision, hash } = applied;
    const verb = plan.changes.length === 0 ? 'Unchanged' : 'Applied';
    return {
      json: { revision, hash, changes: plan.changes, breaking: plan.breaking },
      text: `${verb}: revision ${revision}, ${hash.slice(0, 12)}.`,
    };
  },
});

async function confirm(question: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(question)).trim());
  } finally {
    prompt.close();
  }
}
