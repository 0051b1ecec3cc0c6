// The keys that are in force, in memory: looked up without the registry, which is asked a few times a second whether they
// changed. While it is away, those known last stay in force.

import { type Actor, type Clock, HeadraceError, type Logger, messageOf, type Micros } from '../../../core/index.ts';
import { fitsSecret, type HashedKey, isInForce, readKeyToken } from '../../../registry/index.ts';

/** Somebody whose key or token was checked. */
export interface Known {
  readonly actor: Actor;
  /** From then on it is not; Infinity: never. */
  readonly untilMicros: Micros;
  /** The key by which it is known; to be marked as used. */
  readonly use: KeyUse | undefined;
}

/** When a key was last used: a mark costs a request nothing but a look at the clock. */
export interface KeyUse {
  /** 0: never. */
  lastMicros: Micros;
}

/** Where keys are kept. */
export interface KeySource {
  /** Grows with every change of them. */
  changeToken(): Promise<number>;
  readonly keys: {
    list(): Promise<readonly HashedKey[]>;
    markUsed(used: ReadonlyMap<string, Micros>): Promise<void>;
  };
}

export interface KeyRing {
  /** Whether there ever was a key: those that ended count, so that no server opens itself when its last key ends. */
  hasKeys(): boolean;
  /** Undefined where the text is no key. Throws HR_UNAUTHENTICATED for one that is unknown, has expired or was revoked. */
  find(token: string): Known | undefined;
  /** Looks whether keys changed. Never throws. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

const POLL_MS = 250;
const TELL_USED_MS = 60_000;

export interface KeyRingOptions {
  readonly source: KeySource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** After each change of the keys. */
  readonly onChange: () => void;
}

/** Throws what the first look at the registry does. */
export async function openKeyRing({ source, clock, logger, onChange }: KeyRingOptions): Promise<KeyRing> {
  let seen = -1;
  let keys: ReadonlyMap<string, HashedKey> = new Map();
  /** By key id; it outlives changes of the keys. */
  const uses = new Map<string, KeyUse & { toldMicros: Micros }>();
  let told = '';
  let looking: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    // Before the keys: what changes meanwhile is seen at the next look.
    const token = await source.changeToken();
    if (token === seen) return;
    const list = await source.keys.list();
    keys = new Map(list.map((key) => [key.id, key]));
    seen = token;
    onChange();
  };
  const refresh = (): Promise<void> => {
    looking ??= look()
      .then(
        () => (told = ''),
        (thrown: unknown) => {
          if (told !== messageOf(thrown)) logger.warn({ reason: messageOf(thrown) }, 'could not look for changed keys');
          told = messageOf(thrown);
        },
      )
      .then(() => (looking = undefined));
    return looking;
  };
  const tellUsed = async (): Promise<void> => {
    const used = new Map<string, Micros>();
    for (const [id, { lastMicros, toldMicros }] of uses) if (lastMicros > toldMicros) used.set(id, lastMicros);
    if (used.size === 0) return;
    try {
      await source.keys.markUsed(used);
      for (const [id, at] of used) (uses.get(id) as { toldMicros: Micros }).toldMicros = at;
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'could not tell which keys were used');
    }
  };

  await look();
  const poll = setInterval(() => void refresh(), POLL_MS).unref();
  const telling = setInterval(() => void tellUsed(), TELL_USED_MS).unref();
  return {
    hasKeys: () => keys.size > 0,
    find(text) {
      const token = readKeyToken(text);
      if (token === undefined) return undefined;
      const key = keys.get(token.id);
      if (key === undefined || !fitsSecret(key.secretHash, token.secret))
        throw new HeadraceError('HR_UNAUTHENTICATED', 'the key is not known. `headrace keys list` shows all.');
      if (!isInForce(key, clock.nowMicros())) {
        const ended = key.revokedMicros === null ? 'has expired' : 'was revoked';
        throw new HeadraceError('HR_UNAUTHENTICATED', `key hr_${key.id} (${key.name}) ${ended}.`);
      }
      const { roles, endpoints } = key;
      let use = uses.get(key.id);
      if (use === undefined) uses.set(key.id, (use = { lastMicros: 0, toldMicros: 0 }));
      return {
        actor: {
          name: `key hr_${key.id}`,
          roles: new Set(roles),
          endpoints: endpoints === null ? null : new Set(endpoints),
        },
        untilMicros: key.expiresMicros ?? Infinity,
        use,
      };
    },
    refresh,
    async close() {
      clearInterval(poll);
      clearInterval(telling);
      await looking;
      await tellUsed();
    },
  };
}
