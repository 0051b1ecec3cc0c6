// What the process was started with. Nothing outside this folder reads the environment.

export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Where the user stands: relative paths that they type start here. */
  readonly workingDirectory: string;
  /** Who changes things, for the audit log. */
  readonly actor: string;
}

/** npm runs scripts in the package's folder; the user's own is in INIT_CWD. */
export function readEnvironment(variables: Environment['variables'] = process.env): Environment {
  const initial = variables['npm_lifecycle_event'] === 'headrace' ? variables['INIT_CWD'] : undefined;
  return {
    variables,
    workingDirectory: initial === undefined || initial === '' ? process.cwd() : initial,
    actor: variables['HEADRACE_ACTOR'] ?? variables['USER'] ?? variables['LOGNAME'] ?? 'unknown',
  };
}
