// `headrace plan`: what apply would change, and what it would break.

import type { Plan } from '../registry/index.ts';
import { definesNothing } from '../app/index.ts';
import type { Manifest } from '../definitions/index.ts';
import { type CommandContext, defineCommand } from './command.ts';

export const planCommand = defineCommand({
  usage: 'plan',
  summary: 'show what apply would change, and what it would break',
  example: 'headrace plan',
  async run(context) {
    const app = await context.app();
    const { manifest, hash } = await app.repository();
    const plan = await (await app.registry()).definitions.plan(manifest);
    tellIfEmpty(context, manifest, app.config.values.repo);
    return { json: { hash, ...plan }, text: describePlan(plan) };
  },
});

/** Says that the feature repository defines nothing: most often `repo` names another folder than was meant. */
export function tellIfEmpty(context: Pick<CommandContext, 'tell'>, manifest: Manifest, directory: string): void {
  if (definesNothing(manifest)) context.tell(`No definitions were found in ${directory}.`);
}

const SIGNS = { add: '+', change: '~', remove: '-' } as const;

/** The plan as lines: a sign, the object, and the details under it. */
export function describePlan(plan: Plan): string {
  if (plan.changes.length === 0) return `Nothing to change; revision ${plan.baseRevision} is what the repository says.`;
  const lines = plan.changes.flatMap((change) => [
    `${SIGNS[change.kind]} ${change.object} ${change.name}`,
    ...change.detail.map((detail) => `    ${detail}`),
    ...(change.breaking === null ? [] : [`    BREAKS: ${change.breaking}`]),
  ]);
  return lines.join('\n');
}
