// What the process was started with. Nothing outside this folder reads the environment.

import { userInfo } from 'node:os';

export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Where the user stands: relative paths that they type start here. */
  readonly workingDirectory: string;
  /** Who changes things, for the audit log. */
  readonly actor: string;
}

/** npm runs scripts in the package's folder; the user's own is in INIT_CWD. `userName` is the system's; it may throw. */
export function readEnvironment(
  variables: Environment['variables'] = process.env,
  userName = (): string => userInfo().username,
): Environment {
  const initial = variables['npm_lifecycle_event'] === 'headrace' ? variables['INIT_CWD'] : undefined;
  return {
    variables,
    workingDirectory: initial === undefined || initial === '' ? process.cwd() : initial,
    actor: variables['HEADRACE_ACTOR'] ?? variables['USER'] ?? variables['LOGNAME'] ?? systemUser(userName),
  };
}

// A container may run as a user id that has no name.
function systemUser(userName: () => string): string {
  try {
    return userName() || 'unknown';
  } catch {
    return 'unknown';
  }
}
