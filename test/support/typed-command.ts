// A command line that is run in the test's own process: for words, exit codes and all else that no end of a process shows.

import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { lineProgress } from '../../src/cli/progress.ts';
import { runCommandLine } from '../../src/cli/run-cli.ts';
import { type Logger, silentLogger, silentProgress } from '../../src/core/index.ts';
import type { CommandOutput, Project } from './serving-project.ts';

export interface TypedOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TypeOptions {
  /** Environment variables; none of the machine's are seen. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Called with what the command writes on stderr, as it comes. */
  readonly hear?: (stderr: string) => void;
  /** Progress and warnings are written on stderr, too, as a process does. */
  readonly isTold?: boolean;
}

/** Runs a command line as if it were typed in `directory`. */
export async function typeCommand(
  directory: string,
  args: readonly string[],
  { variables = {}, hear = () => {}, isTold = false }: TypeOptions = {},
): Promise<TypedOutput> {
  let [stdout, stderr] = ['', ''];
  const tell = (text: string): void => {
    stderr += text;
    hear(text);
  };
  const environment = { ...readEnvironment({}), variables, workingDirectory: directory };
  const code = await runCommandLine(args, {
    environment,
    stdout: (text) => (stdout += text),
    stderr: tell,
    progress: () => (isTold ? lineProgress(tell, args.includes('--json')) : silentProgress),
    openApp: (options): Promise<App> =>
      openApp({ ...options, environment, logger: isTold ? lineLogger(tell) : silentLogger }),
    exitCode: 0,
  });
  return { code, stdout, stderr };
}

/** Warnings and errors, a line of JSON each. */
function lineLogger(tell: (text: string) => void): Logger {
  const log =
    (level: string): Logger['warn'] =>
    (fields, msg) =>
      tell(`${JSON.stringify({ level, ...fields, msg })}\n`);
  return { ...silentLogger, warn: log('warn'), error: log('error') };
}

/** As `headrace` of `serving-project.ts` in a process of its own, with no variables but `env`. */
export function headraceHere(
  project: Pick<Project, 'directory'>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandOutput> {
  const standing = { npm_lifecycle_event: 'headrace', INIT_CWD: project.directory, ...env };
  return typeCommand(readEnvironment(standing).workingDirectory, args, { variables: env, isTold: true });
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
