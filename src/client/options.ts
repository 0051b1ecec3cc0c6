// What a client and its calls are made with, and what they are held to.

import type { Int64Form } from './column-values.ts';
import { HeadraceClientError } from './client-error.ts';

export interface ClientOptions {
  /** Where the server, or the balancer before it, listens: `https://features.example.org`. In a page of its own `location.origin`. */
  readonly url: string;
  /** An API key `hr_…` or a JSON Web Token; a function is asked at each try, so that keys can be rotated. */
  readonly key?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  /** For a call with its retries and waits, in milliseconds, to an hour; the server is told how much is left. Default: 30,000. */
  readonly timeoutMs?: number;
  /** How often a request is sent again at most. Default: 4. */
  readonly retries?: number;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The platform's own when left out. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Of a client that is given columns to turn values by. */
export interface ApiOptions<I extends Int64Form> {
  /** How int64 of answers comes. Default: bigint. */
  readonly int64?: I;
}

/** What every call takes. */
export interface CallOptions {
  /** In place of the client's. */
  readonly timeoutMs?: number;
  readonly retries?: number;
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The caller's W3C trace, which the server continues. */
  readonly traceparent?: string | undefined;
  /** Echoed, and in the server's log: printable ASCII, 128 characters at most. */
  readonly requestId?: string | undefined;
}

export interface PredictOptions extends CallOptions {
  /** Answers have the features that the model saw, and their statuses. */
  readonly features?: boolean;
  /** All rows go to this variant, or `experiment/arm`; the key needs the role `experiment`. */
  readonly variant?: string;
  /**
   * Send it again also where the connection broke and the first may have been answered: the server may then log and count the
   * prediction twice. Default: false.
   */
  readonly mayRepeat?: boolean;
}

export interface PushOptions extends CallOptions {
  /** Under which the server knows these rows again, for as long as `pushLog.claimRetention`. Default: one of its own for each call. */
  readonly idempotencyKey?: string;
}

/** The server's greatest deadline. */
const LONGEST_MS = 3_600_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRIES = 4;

export interface Patience {
  readonly timeoutMs: number;
  readonly retries: number;
}

export function patienceOf(client: Partial<Patience>, call: Partial<Patience> = {}): Patience {
  const timeoutMs = call.timeoutMs ?? client.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const retries = call.retries ?? client.retries ?? DEFAULT_RETRIES;
  if (!(timeoutMs >= 1 && timeoutMs <= LONGEST_MS)) {
    throw wrong('timeoutMs', `milliseconds from 1 to ${LONGEST_MS}`, timeoutMs);
  }
  if (!Number.isSafeInteger(retries) || retries < 0) throw wrong('retries', 'a whole number from 0 on', retries);
  return { timeoutMs, retries };
}

/** Without a slash at its end. */
export function baseOf(given: string): string {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw wrong('url', 'an address such as http://127.0.0.1:8080', typeof given);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong('url', 'http: or https:', url.protocol);
  // It would stand in errors and logs.
  if (url.username !== '' || url.password !== '') {
    throw new HeadraceClientError('url: holds a user or a password. Give a key as `key`.', { code: 'HR_INVALID' });
  }
  if (url.search !== '' || url.hash !== '') throw wrong('url', 'an address without ? and #', 'one with them');
  return url.href.replace(/\/+$/, '');
}

function wrong(path: string, expected: string, came: unknown): HeadraceClientError {
  const message = `expected ${expected}, got ${String(came)}`;
  return new HeadraceClientError(`${path}: ${message}.`, { code: 'HR_INVALID', errors: [{ path, message }] });
}
