// Who may come in: every request passes here before its body is read. What was checked once is kept by the text of its key or
// token, so that the check of a request costs one look-up.

import type { IncomingHttpHeaders } from 'node:http';
import {
  type Actor,
  type Clock,
  createLastUsed,
  createRateLimit,
  HeadraceError,
  type LastUsed,
  type Role,
  ROLES,
  withoutKeySecrets,
} from '../../../core/index.ts';
import type { KeyRing, Known } from './key-ring.ts';
import { createHostCheck, refuseForeignPage } from './request-origin.ts';
import type { RouteRole } from './route-role.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface GateOptions {
  readonly keys: KeyRing;
  /** Undefined: the server takes no tokens. */
  readonly tokens: TokenVerifier | undefined;
  /** Whether the server may answer anybody while there are no keys: it is on loopback, or was told to be insecure. */
  readonly opensTo: 'loopback' | 'everybody' | 'nobody';
  /** The address that it listens on. */
  readonly host: string;
  /** Requests a second of one key or address; undefined: any number. */
  readonly rateLimit: number | undefined;
  readonly clock: Clock;
}

export interface Gate {
  /**
   * Who asks; on a route that is `open`, whoever it is. A promise only where a token is seen first. Throws HR_MISDIRECTED,
   * HR_FORBIDDEN (a page of another site), HR_UNAUTHENTICATED, HR_OVERLOADED (rate).
   */
  identify(headers: IncomingHttpHeaders, ip: string, role: RouteRole): Known | Promise<Known>;
  /**
   * Lets it do what takes `role`, on `endpoint` where the path names one. Throws HR_FORBIDDEN, HR_OVERLOADED (rate).
   */
  permit(known: Known, role: RouteRole, endpoint: string | undefined): void;
  /**
   * Identifies and permits whoever was identified before. Undefined for anybody else, and where one of the two would throw:
   * then it has counted for no rate, and they are to be asked.
   */
  admit(headers: IncomingHttpHeaders, ip: string, role: Role, endpoint: string): Known | undefined;
  /** Whether a request that was let in would be still: what it began may outlive its key. It counts for no rate. */
  stillAdmits(headers: IncomingHttpHeaders, ip: string, role: RouteRole): Promise<boolean>;
  /** Whether anybody is let in. */
  isOpen(): boolean;
  /** Keys changed: what was checked before is checked again. */
  forget(): void;
}

const MOST_KNOWN = 4096;
const NO_ROLES: Actor['roles'] = new Set();
const ALL_ROLES: Actor['roles'] = new Set(ROLES);
const NO_ENDPOINTS: Actor['endpoints'] = new Set();

type Header = 'authorization' | 'x-api-key';

const headerOf = (headers: IncomingHttpHeaders): Header =>
  headers['x-api-key'] === undefined ? 'authorization' : 'x-api-key';

/** By header: what is a key in one is none in the other. */
function createKnown(): Readonly<Record<Header, LastUsed<string, Known>>> {
  return { authorization: createLastUsed(MOST_KNOWN), 'x-api-key': createLastUsed(MOST_KNOWN) };
}

/** Somebody without a valid key. */
export function anonymous(ip: string): Actor {
  return { name: `anonymous ${ip}`, roles: NO_ROLES, endpoints: NO_ENDPOINTS };
}

/** Whether what takes `role` is open to it, on `endpoint` where one is named. */
export function mayUse({ roles, endpoints }: Actor, role: Role | 'known', endpoint: string | undefined): boolean {
  return (role === 'known' || roles.has(role)) && isWithin(endpoints, endpoint);
}

const isWithin = (endpoints: Actor['endpoints'], endpoint: string | undefined): boolean =>
  endpoint === undefined || endpoints === null || endpoints.has(endpoint);

export function createGate({ keys, tokens, opensTo, host, rateLimit, clock }: GateOptions): Gate {
  const limit = rateLimit === undefined ? undefined : createRateLimit(rateLimit);
  const checkHost = opensTo === 'loopback' ? createHostCheck(host) : undefined;
  const openActors = createLastUsed<string, Known>(MOST_KNOWN);
  let known = createKnown();
  let generation = 0;

  const isOpen = (): boolean => opensTo !== 'nobody' && tokens === undefined && !keys.hasKeys();

  const openTo = (ip: string): Known => {
    let found = openActors.get(ip);
    if (found === undefined) {
      const isLocal = opensTo === 'loopback';
      const actor = { name: `open ${ip}`, roles: ALL_ROLES, endpoints: null, isLocal };
      openActors.set(ip, (found = { actor, untilMicros: Infinity, use: undefined }));
    }
    return found;
  };

  const check = (sent: string, header: Header): Known | Promise<Known> => {
    const credential = header === 'authorization' ? /^Bearer +(\S+)$/i.exec(sent)?.[1] : sent;
    if (credential === undefined) throw notBearer();
    const found = keys.find(credential);
    if (found !== undefined) {
      known[header].set(sent, found);
      return found;
    }
    if (tokens === undefined || !IS_TOKEN.test(credential)) {
      const sentence = `${WHAT_CAME} is no key${tokens === undefined ? '' : ' and no token'}.`;
      throw new HeadraceError('HR_UNAUTHENTICATED', sentence);
    }
    const began = generation;
    return tokens.verify(credential).then((token) => {
      // Not what was checked by keys that are gone.
      if (began === generation) known[header].set(sent, token);
      return token;
    });
  };

  /** Who asks, where it was checked before and that still holds. */
  const remembered = (headers: IncomingHttpHeaders, ip: string): Known | undefined => {
    if (isOpen()) return openTo(ip);
    const header = headerOf(headers);
    const sent = headers[header];
    const found = typeof sent === 'string' ? known[header].get(sent) : undefined;
    if (found === undefined || found.untilMicros === Infinity) return found;
    return found.untilMicros > clock.nowMicros() ? found : undefined;
  };

  const find = (headers: IncomingHttpHeaders, ip: string): Known | Promise<Known> => {
    const found = remembered(headers, ip);
    if (found !== undefined) return found;
    const header = headerOf(headers);
    const sent = headers[header];
    // Node joins a header that is sent twice, so that it is no key; a list is given for a cookie alone.
    if (typeof sent !== 'string') throw noCredential();
    return check(sent, header);
  };

  const refuse = (thrown: unknown, ip: string, role: RouteRole): Known => {
    if (role === 'open') return { actor: anonymous(ip), untilMicros: Infinity, use: undefined };
    // Whoever guesses is slowed down, too.
    if (limit !== undefined && !limit.take(`anonymous ${ip}`)) throw tooMany();
    throw thrown;
  };

  const checkPlace = (headers: IncomingHttpHeaders): void => {
    refuseForeignPage(headers);
    if (checkHost !== undefined && isOpen()) checkHost(headers.host);
  };

  const noteUse = ({ use }: Known): void => {
    if (use !== undefined) use.lastMicros = clock.nowMicros();
  };

  return {
    identify(headers, ip, role) {
      checkPlace(headers);
      let found: Known | Promise<Known>;
      try {
        found = find(headers, ip);
      } catch (thrown) {
        return refuse(thrown, ip, role);
      }
      return found instanceof Promise ? found.catch((thrown: unknown) => refuse(thrown, ip, role)) : found;
    },
    permit(known, role, endpoint) {
      // Whoever asks how a server is must hear it.
      if (role === 'open') return;
      const { actor } = known;
      if (limit !== undefined && !limit.take(actor.name)) throw tooMany();
      if (!mayUse(actor, role, endpoint)) throw lacks(actor, role, endpoint);
      noteUse(known);
    },
    admit(headers, ip, role, endpoint) {
      try {
        checkPlace(headers);
        const found = remembered(headers, ip);
        if (found === undefined || !mayUse(found.actor, role, endpoint)) return undefined;
        // An empty bucket is left as it is.
        if (limit !== undefined && !limit.take(found.actor.name)) return undefined;
        noteUse(found);
        return found;
      } catch {
        return undefined;
      }
    },
    async stillAdmits(headers, ip, role) {
      try {
        const { actor } = await find(headers, ip);
        return role === 'open' || role === 'known' || actor.roles.has(role);
      } catch {
        return role === 'open';
      }
    },
    isOpen,
    forget() {
      generation++;
      known = createKnown();
    },
  };
}

/** Three parts of base64url: a JWT's form. */
const IS_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const WHAT_CAME = 'what came in `Authorization: Bearer …` or `x-api-key`';

function noCredential(): HeadraceError {
  return new HeadraceError(
    'HR_UNAUTHENTICATED',
    'the request has no key: send `Authorization: Bearer hr_…` or `x-api-key: hr_…`.',
  );
}

/** What came is not repeated: it may be a password. */
function notBearer(): HeadraceError {
  return new HeadraceError(
    'HR_UNAUTHENTICATED',
    'what came in `Authorization` is not `Bearer` and one key: send `Authorization: Bearer hr_…` or `x-api-key: hr_…`.',
  );
}

function tooMany(): HeadraceError {
  return new HeadraceError('HR_OVERLOADED', 'more requests a second than server.rateLimit; repeat this one later.');
}

/** Why it may not use it. */
function lacks({ name, roles, endpoints }: Actor, role: Role | 'known', endpoint: string | undefined): HeadraceError {
  if (role !== 'known' && !roles.has(role)) {
    const has = roles.size === 0 ? 'no role' : [...roles].join(', ');
    return new HeadraceError('HR_FORBIDDEN', `this takes the role ${role}; ${name} has ${has}.`);
  }
  const asked = withoutKeySecrets(endpoint ?? '').slice(0, 100);
  return new HeadraceError('HR_FORBIDDEN', `${name} may not use endpoint "${asked}"; it may use ${listed(endpoints)}.`);
}

/** Those that an actor is kept to, for a refusal. */
export const listed = (endpoints: Actor['endpoints']): string =>
  endpoints === null || endpoints.size === 0 ? 'none' : [...endpoints].join(', ');
