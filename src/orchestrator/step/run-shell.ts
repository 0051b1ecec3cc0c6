// A command line, as the shell reads it.

import type { StepAction } from '../../definitions/index.ts';
import { placeCode } from './code.ts';
import type { Command } from './run-process.ts';
import type { AttemptFolder } from './attempt-folders.ts';
import type { StepHost } from './step-host.ts';

/** Throws HR_ARTIFACT_UNREADABLE. */
export async function shellCommand(
  host: StepHost,
  action: Extract<StepAction, { kind: 'shell' }>,
  { code }: AttemptFolder,
  environment: Readonly<Record<string, string>>,
): Promise<Command> {
  await placeCode(host.cache, action.files ?? [], code);
  return process.platform === 'win32'
    ? { command: 'cmd.exe', args: ['/d', '/s', '/c', action.command], environment }
    : { command: '/bin/sh', args: ['-c', action.command], environment };
}
