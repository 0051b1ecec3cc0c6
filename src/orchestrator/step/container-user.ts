// As whom a container runs, so that what it leaves in the attempt's folders is this user's own, and can be written at all.

import { parseJson } from '../../core/index.ts';

/** What a runtime says of itself: docker by options of its daemon, podman by a flag. */
interface RuntimeInfo {
  readonly SecurityOptions?: readonly string[];
  readonly host?: { readonly security?: { readonly rootless?: boolean } };
}

const known = new Map<string, Promise<readonly string[]>>();

/**
 * Options of `docker run` and `podman run`. `ask` runs the command and gives what it says, nothing where it fails. It is asked once a
 * process for each command.
 */
export function containerUser(
  runtime: string,
  ask: (args: readonly string[]) => Promise<string>,
): Promise<readonly string[]> {
  if (process.getuid === undefined) return Promise.resolve([]);
  const user = ['--user', `${process.getuid()}:${process.getgid?.() ?? 0}`];
  const before = known.get(runtime);
  if (before !== undefined) return before;
  const found = ask(['info', '--format', '{{json .}}']).then((said) => {
    // A daemon that is away is asked again.
    if (said === '') known.delete(runtime);
    return optionsFor(said, user);
  });
  known.set(runtime, found);
  return found;
}

/**
 * `said`: what `info` prints as JSON. Without root, ids in a container are other ones outside. Podman's `keep-id` makes an exception of
 * this user's; with docker's daemon it is the container's root that is this user.
 */
export function optionsFor(said: string, user: readonly string[]): readonly string[] {
  const { SecurityOptions = [], host } = infoIn(said);
  if (host?.security?.rootless === true) return ['--userns=keep-id', ...user];
  return SecurityOptions.some((option) => option.includes('name=rootless')) ? [] : user;
}

function infoIn(said: string): RuntimeInfo {
  try {
    return (parseJson(said) ?? {}) as RuntimeInfo; // whatever else it is has none of these
  } catch {
    // A daemon that is away says so once a container is to run.
    return {};
  }
}
