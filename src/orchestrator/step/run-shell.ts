// A command line, as the shell reads it.

import type { StepAction } from '../../definitions/index.ts';
import type { Command } from './run-process.ts';

export function shellCommand(
  action: Extract<StepAction, { kind: 'shell' }>,
  environment: Readonly<Record<string, string>>,
): Command {
  return process.platform === 'win32'
    ? { command: 'cmd.exe', args: ['/d', '/s', '/c', action.command], environment }
    : { command: '/bin/sh', args: ['-c', action.command], environment };
}
