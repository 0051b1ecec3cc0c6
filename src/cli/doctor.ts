// `headrace doctor`: checks everything that a project needs, each with a hint at its fix.

import type { Finding } from '../app/index.ts';
import { type CommandContext, defineCommand } from './command.ts';
import { hasLostTypes } from './init/editor-types.ts';

const SIGNS = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;

export const doctorCommand = defineCommand({
  usage: 'doctor',
  summary:
    'check Node, configuration, registry, stores, definitions, models and where they run, DuckDB’s extensions, disk and Python',
  example: 'headrace doctor',
  async run(context) {
    const { examine } = await import('../app/index.ts');
    const findings: Finding[] = [
      ...(await examine(() => context.app('read'), context.environment)),
      ...(await lookAtTypes(context)),
    ];
    const isHealthy = findings.every((finding) => finding.state !== 'fail');
    const lines = findings.flatMap(({ check, state, says, fix }) => [
      `${SIGNS[state]}  ${check}: ${says}`,
      ...(fix === undefined ? [] : [`      → ${fix}`]),
    ]);
    return { json: { healthy: isHealthy, checks: findings }, text: lines.join('\n'), exitCode: isHealthy ? 0 : 1 };
  },
});

/** An editor goes by a file of the project; commands don't. */
async function lookAtTypes(context: CommandContext): Promise<Finding[]> {
  const app = await context.app('read').catch(() => undefined);
  if (app === undefined || !(await hasLostTypes(app.config.directory))) return [];
  return [
    {
      check: 'editor',
      state: 'warn',
      says: 'tsconfig.headrace.json names no place where the types of headrace are: an editor finds none',
      fix: `headrace init --repair ${app.config.directory}`,
    },
  ];
}
