// A Python script, in the environment that its requirements make.

import type { StepAction } from '../../definitions/index.ts';
import { scriptPaths } from './code.ts';
import { pythonPath } from './python-path.ts';
import type { Command } from './run-process.ts';
import type { AttemptFolder } from './attempt-folders.ts';
import type { StepHost } from './step-host.ts';

/** Throws HR_PYTHON_UNAVAILABLE. */
export async function pythonCommand(
  host: StepHost,
  action: Extract<StepAction, { kind: 'python' }>,
  { code }: AttemptFolder,
  environment: Readonly<Record<string, string>>,
): Promise<Command> {
  const { script, requirements } = scriptPaths(action, code, host.repository);
  return {
    command: await host.environments.interpreter(requirements),
    args: [script],
    // Lines come to the log as they are printed.
    environment: {
      PYTHONUNBUFFERED: '1',
      ...environment,
      PYTHONPATH: pythonPath(environment['PYTHONPATH']),
    },
  };
}
