// A command line that is run in the test's own process: for words, exit codes and all else that no end of a process shows.

import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { runCommandLine } from '../../src/cli/run-cli.ts';
import { silentLogger, silentProgress } from '../../src/core/index.ts';

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
}

/** Runs a command line as if it were typed in `directory`. */
export async function typeCommand(
  directory: string,
  args: readonly string[],
  { variables = {}, hear = () => {} }: TypeOptions = {},
): Promise<TypedOutput> {
  let [stdout, stderr] = ['', ''];
  const environment = { ...readEnvironment({}), variables, workingDirectory: directory };
  const code = await runCommandLine(args, {
    environment,
    stdout: (text) => (stdout += text),
    stderr(text) {
      stderr += text;
      hear(text);
    },
    progress: () => silentProgress,
    openApp: (options): Promise<App> => openApp({ ...options, environment, logger: silentLogger }),
    exitCode: 0,
  });
  return { code, stdout, stderr };
}
