// A notebook, run by papermill from its first cell to its last: kept as it ran, outputs and all, and as a page of HTML.

import { basename } from 'node:path';
import type { StepAction } from '../../definitions/index.ts';
import { scriptPaths } from './code.ts';
import { pythonPath } from './python-path.ts';
import type { Command } from './run-process.ts';
import type { AttemptFolder } from './attempt-folders.ts';
import type { StepHost } from './step-host.ts';

/** What runs it, beside its requirements. */
export const NOTEBOOK_PACKAGES = ['papermill', 'ipykernel', 'nbconvert'];

// Arguments are the notebook's parameters. The page is made of a notebook that failed too: it shows where.
const PROGRAM = `
import json, os, sys
import papermill
from nbconvert import HTMLExporter
notebook, executed, page = sys.argv[1:]
with open(os.environ["HEADRACE_STEP_INPUT"]) as file:
    step = json.load(file)
try:
    papermill.execute_notebook(notebook, executed, parameters=step["args"], kernel_name="python3", language="python", stdout_file=sys.stdout, stderr_file=sys.stderr, progress_bar=False)
finally:
    if os.path.exists(executed):
        with open(page, "w") as file:
            file.write(HTMLExporter().from_filename(executed)[0])
`;

/** Throws HR_PYTHON_UNAVAILABLE. */
export async function notebookCommand(
  host: StepHost,
  action: Extract<StepAction, { kind: 'notebook' }>,
  { code, output }: AttemptFolder,
  environment: Readonly<Record<string, string>>,
): Promise<Command> {
  const { script, requirements } = scriptPaths(action, code, host.repository);
  const name = basename(script, '.ipynb');
  return {
    command: await host.environments.interpreter(requirements, NOTEBOOK_PACKAGES),
    args: ['-c', PROGRAM, script, `${output}/${name}.ipynb`, `${output}/${name}.html`],
    environment: {
      PYTHONUNBUFFERED: '1',
      ...environment,
      PYTHONPATH: pythonPath(environment['PYTHONPATH']),
    },
  };
}
