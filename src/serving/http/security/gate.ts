// Who may come in: every request passes here before its body is read. What was checked once is kept by the text of its key or
// token, so that the check of a request costs one look-up.

import type { IncomingHttpHeaders } from 'node:http';
import { type Actor, type Clock, createLastUsed, HeadraceError, type LastUsed, ROLES } from '../../../core/index.ts';
import type { KeyRing, Known } from './key-ring.ts';
import { createRateLimit } from './rate-limit.ts';
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

/** By header: what is a key in one is none in the other. */
function createKnown(): Readonly<Record<Header, LastUsed<string, Known>>> {
  return { authorization: createLastUsed(MOST_KNOWN), 'x-api-key': createLastUsed(MOST_KNOWN) };
}

/** Somebody without a valid key. */
export function anonymous(ip: string): Actor {
  return { name: `anonymous ${ip}`, roles: NO_ROLES, endpoints: NO_ENDPOINTS };
}

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
    if (credential === undefined) throw noCredential();
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

  const find = (headers: IncomingHttpHeaders, ip: string): Known | Promise<Known> => {
    if (isOpen()) return openTo(ip);
    const header: Header = headers['x-api-key'] === undefined ? 'authorization' : 'x-api-key';
    const sent = headers[header];
    // Node joins a header that is sent twice, so that it is no key; a list is given for a cookie alone.
    if (typeof sent !== 'string') throw noCredential();
    const found = known[header].get(sent);
    if (found !== undefined && (found.untilMicros === Infinity || found.untilMicros > clock.nowMicros())) return found;
    return check(sent, header);
  };

  const refuse = (thrown: unknown, ip: string, role: RouteRole): Known => {
    if (role === 'open') return { actor: anonymous(ip), untilMicros: Infinity, use: undefined };
    // Whoever guesses is slowed down, too.
    if (limit !== undefined && !limit.take(`anonymous ${ip}`)) throw tooMany();
    throw thrown;
  };

  return {
    identify(headers, ip, role) {
      refuseForeignPage(headers);
      if (checkHost !== undefined && isOpen()) checkHost(headers.host);
      let found: Known | Promise<Known>;
      try {
        found = find(headers, ip);
      } catch (thrown) {
        return refuse(thrown, ip, role);
      }
      return found instanceof Promise ? found.catch((thrown: unknown) => refuse(thrown, ip, role)) : found;
    },
    permit({ actor, use }, role, endpoint) {
      // Whoever asks how a server is must hear it.
      if (role === 'open') return;
      if (limit !== undefined && !limit.take(actor.name)) throw tooMany();
      if (role !== 'known' && !actor.roles.has(role)) throw lacksRole(actor, role);
      if (endpoint !== undefined && actor.endpoints !== null && !actor.endpoints.has(endpoint))
        throw lacksEndpoint(actor, endpoint);
      if (use !== undefined) use.lastMicros = clock.nowMicros();
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

function tooMany(): HeadraceError {
  return new HeadraceError('HR_OVERLOADED', 'more requests a second than server.rateLimit; repeat this one later.');
}

function lacksRole({ name, roles }: Actor, role: RouteRole): HeadraceError {
  const has = roles.size === 0 ? 'no role' : [...roles].join(', ');
  return new HeadraceError('HR_FORBIDDEN', `this takes the role ${role}; ${name} has ${has}.`);
}

function lacksEndpoint({ name, endpoints }: Actor, endpoint: string): HeadraceError {
  const has = [...(endpoints ?? [])].join(', ');
  const sentence = `${name} may not use endpoint "${endpoint.slice(0, 100)}"; it may use ${has === '' ? 'none' : has}.`;
  return new HeadraceError('HR_FORBIDDEN', sentence);
}
