// `headrace doctor`: checks everything that a project needs, each with a hint at its fix.

import type { Finding } from '../app/index.ts';
import { defineCommand } from './command.ts';

const SIGNS = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;

export const doctorCommand = defineCommand({
  usage: 'doctor',
  summary: 'check Node, configuration, registry, stores, definitions, disk and Python',
  example: 'headrace doctor',
  async run(context) {
    const { examine } = await import('../app/index.ts');
    const findings: Finding[] = await examine(() => context.app(), context.environment);
    const isHealthy = findings.every((finding) => finding.state !== 'fail');
    const lines = findings.flatMap(({ check, state, says, fix }) => [
      `${SIGNS[state]}  ${check}: ${says}`,
      ...(fix === undefined ? [] : [`      → ${fix}`]),
    ]);
    return { json: { healthy: isHealthy, checks: findings }, text: lines.join('\n'), exitCode: isHealthy ? 0 : 1 };
  },
});
