// Who asks: a key's or a token's owner, or anybody on an open loopback.

/** What an actor may do: read features, predict, push and tell outcomes, force variants, change what is served. */
export type Role = 'read' | 'predict' | 'write' | 'experiment' | 'admin';

export const ROLES: readonly Role[] = ['read', 'predict', 'write', 'experiment', 'admin'];

export interface Actor {
  /** As the audit log names it: `key hr_4k2j9x0qzt`, `jwt subject`, `open 127.0.0.1`. */
  readonly name: string;
  readonly roles: ReadonlySet<Role>;
  /** Endpoints that it may use; null is all. */
  readonly endpoints: ReadonlySet<string> | null;
  /** On an open loopback: it is told what users' functions threw, as whoever works on them has to know. */
  readonly isLocal?: boolean;
}
