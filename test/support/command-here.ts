// Command lines run in the test's own process, where the program is loaded already: the same words, exit code and text as a
// process of its own gives. What only a process shows (its end, its signals, its standard input) wants one:
// `headraceProcess` of `serving-project.ts`.

import { openApp, readEnvironment } from '../../src/app/index.ts';
import { lineProgress } from '../../src/cli/progress.ts';
import { runCommandLine } from '../../src/cli/run-cli.ts';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import type { CommandOutput, Project } from './serving-project.ts';

/** Runs a command to its end as if typed in the project's folder, or where npm says in `env`, with no variables but those. */
export async function headraceHere(
  project: Pick<Project, 'directory'>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandOutput> {
  let [stdout, stderr] = ['', ''];
  const tell = (text: string): void => void (stderr += text);
  const log =
    (level: string): Logger['warn'] =>
    (fields, msg) =>
      tell(`${JSON.stringify({ level, ...fields, msg })}\n`);
  const logger: Logger = { ...silentLogger, warn: log('warn'), error: log('error') };
  const standing = { npm_lifecycle_event: 'headrace', INIT_CWD: project.directory };
  const environment = readEnvironment({ HEADRACE_ACTOR: 'test', ...standing, ...env });
  const code = await runCommandLine(args, {
    environment,
    stdout: (text) => void (stdout += text),
    stderr: tell,
    progress: () => lineProgress(tell, args.includes('--json')),
    openApp: (options) => openApp({ ...options, environment, logger }),
    exitCode: 0,
  });
  return { code, stdout, stderr };
}

/** The one JSON document that a command printed; throws its errors when it failed. */
export async function headraceHereJson<T = unknown>(
  project: Pick<Project, 'directory'>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const { code, stdout, stderr } = await headraceHere(project, [...args, '--json'], env);
  if (code !== 0) throw new Error(`headrace ${args.join(' ')} gave ${String(code)}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
