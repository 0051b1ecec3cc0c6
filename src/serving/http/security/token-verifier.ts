// JSON Web Tokens (RFC 7519), as RFC 8725 asks: the algorithms are pinned by the settings and never taken from the token,
// issuer and audience are checked, and a token without an end is none.

import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose';
import {
  type Actor,
  type Clock,
  describe,
  HeadraceError,
  messageOf,
  type Micros,
  MICROS_PER_SECOND,
  type Role,
  ROLES,
  toDate,
} from '../../../core/index.ts';
import type { Known } from './key-ring.ts';

export interface TokenOptions {
  /** Such as RS256; all of one kind of key. */
  readonly algorithms: readonly string[];
  readonly issuer: string;
  readonly audience: string;
  readonly key: TokenKey;
  /** The claim whose members that are roles count; a path such as `realm_access.roles` leads into objects. */
  readonly rolesClaim: string;
  /** The claim that lists endpoints, `*` for all; undefined: every token may use all. */
  readonly endpointsClaim: string | undefined;
  readonly clockToleranceMs: number;
}

/** A PEM is a public key or a certificate; a JWKS is the text of a set of public keys. */
export type TokenKey =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'pem'; readonly pem: string }
  | { readonly kind: 'jwks'; readonly jwks: string };

export interface TokenVerifier {
  /** Throws HR_UNAUTHENTICATED, with the reason. */
  verify(token: string): Promise<Known>;
}

const SHARED = ['HS256', 'HS384', 'HS512'];
const PUBLIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** As many as HMAC-SHA-256 has (RFC 7518, 3.2). */
const LEAST_SECRET_BYTES = 32;

/** Throws HR_CONFIG for algorithms or keys that don't fit. */
export function createTokenVerifier(options: TokenOptions, clock: Clock): TokenVerifier {
  const { issuer, audience, clockToleranceMs } = options;
  checkAlgorithms(options);
  const key = readKey(options.key);
  const algorithms = [...options.algorithms];
  return {
    async verify(token) {
      const given = {
        algorithms,
        issuer,
        audience,
        clockTolerance: clockToleranceMs / 1000,
        requiredClaims: ['exp', 'sub'],
        currentDate: toDate(clock.nowMicros()),
      };
      let payload: JWTPayload;
      try {
        ({ payload } = await (typeof key === 'function' ? jwtVerify(token, key, given) : jwtVerify(token, key, given)));
      } catch (thrown) {
        // What else is thrown tells of keys, not of the token.
        const reason = thrown instanceof errors.JOSEError ? messageOf(thrown) : 'it cannot be checked by the keys';
        throw refused(reason.slice(0, 200), thrown);
      }
      return {
        actor: readActor(payload, options),
        // `exp` is there and a number: it was required.
        untilMicros: endMicros(payload.exp as number, clockToleranceMs),
        use: undefined,
      };
    },
  };
}

function refused(reason: string, cause?: unknown): HeadraceError {
  return new HeadraceError('HR_UNAUTHENTICATED', `the token is refused: ${reason}.`, { cause });
}

function endMicros(expSeconds: number, clockToleranceMs: number): Micros {
  return expSeconds * MICROS_PER_SECOND + clockToleranceMs * 1000;
}

// A public key taken for a shared secret would let anybody sign with it.
function checkAlgorithms({ algorithms, key }: TokenOptions): void {
  const allowed = key.kind === 'secret' ? SHARED : PUBLIC;
  const [wrong] = algorithms.filter((algorithm) => !allowed.includes(algorithm));
  if (wrong === undefined && algorithms.length > 0) return;
  const came = wrong === undefined ? 'none' : `"${wrong.slice(0, 40)}"`;
  const what = key.kind === 'secret' ? 'A secret (server.jwt.secretEnv)' : 'A key file (server.jwt.key)';
  throw new HeadraceError('HR_CONFIG', `server.jwt.algorithms: ${what} takes ${allowed.join(', ')}; got ${came}.`);
}

function readKey(key: TokenKey): KeyObject | JWTVerifyGetKey {
  if (key.kind === 'secret') {
    const bytes = Buffer.from(key.secret);
    if (bytes.length >= LEAST_SECRET_BYTES) return createSecretKey(bytes);
    const sentence = `server.jwt.secretEnv: the secret has ${bytes.length} bytes, it must have ${LEAST_SECRET_BYTES} or more.`;
    throw new HeadraceError('HR_CONFIG', sentence);
  }
  if (key.kind === 'pem' && key.pem.includes('PRIVATE KEY'))
    throw new HeadraceError(
      'HR_CONFIG',
      'server.jwt.key: the file holds a private key; a server takes the public one.',
    );
  try {
    // Whatever the text is, `createLocalJWKSet` checks it.
    return key.kind === 'pem' ? createPublicKey(key.pem) : createLocalJWKSet(JSON.parse(key.jwks) as JSONWebKeySet);
  } catch (thrown) {
    const sentence = `server.jwt.key: ${key.kind === 'pem' ? 'not a public key in PEM' : 'not a set of keys (JWKS)'}: ${messageOf(thrown).slice(0, 200)}`;
    throw new HeadraceError('HR_CONFIG', sentence, { cause: thrown });
  }
}

function readActor(payload: JWTPayload, { rolesClaim, endpointsClaim }: TokenOptions): Actor {
  const roles = readList(claimOf(payload, rolesClaim)).filter((one): one is Role =>
    (ROLES as readonly string[]).includes(one),
  );
  const endpoints = endpointsClaim === undefined ? ['*'] : readList(claimOf(payload, endpointsClaim));
  return {
    // It goes into logs.
    name: `jwt ${readSubject(payload)
      .replaceAll(/[^\x20-\x7e]/g, '?')
      .slice(0, 200)}`,
    roles: new Set(roles),
    endpoints: endpoints.includes('*') ? null : new Set(endpoints),
  };
}

/** Rates, audit and log go by it. It was required, but of any type. */
function readSubject({ sub }: { readonly sub?: unknown }): string {
  if (typeof sub === 'string' && sub.trim() !== '') return sub;
  throw refused(`its "sub" must be a text that names who asks, got ${describe(sub)}`);
}

// Some name claims by URLs, so the whole name goes before the path.
function claimOf(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** A list of texts, or words between spaces as in `scope`. */
function readList(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ').filter((word) => word !== '');
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
