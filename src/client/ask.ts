// One request to the server: within a deadline, sent again where that does no harm, and its answer read as JSON.

import { type CallClock, startCallClock } from './call-clock.ts';
import { HeadraceClientError, type Mistake } from './client-error.ts';
import { isUnsent, reasonOf } from './fetch-failure.ts';
import { baseOf, type CallOptions, type ClientOptions, patienceOf } from './options.ts';
import { type Failure, parseRetryAfter, waitBeforeRetry } from './retry.ts';

export interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Whether sent twice it does the same as once. */
  readonly isRepeatable: boolean;
  /** Statuses that are an answer besides 2xx. */
  readonly alsoAnswers?: readonly number[];
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Resolves with what a server answered. Rejects with HeadraceClientError, or with the reason of the caller's signal. */
export type Ask = (question: Question, options?: CallOptions) => Promise<Answer>;

/** The outside of a client. */
export interface Platform {
  readonly fetch: typeof globalThis.fetch;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly chance: () => number;
  /** Resolves after so long, or at once when the signal ends it. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const REAL: Omit<Platform, 'fetch'> = {
  now: () => performance.now(),
  chance: Math.random,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end, { once: true });
    }),
};

export function createAsk(options: ClientOptions, given: Partial<Platform> = {}): Ask {
  const base = baseOf(options.url);
  patienceOf(options);
  // Called as a method of anything else, a browser's fetch throws.
  const platform: Platform = { ...REAL, fetch: options.fetch ?? ((...words) => globalThis.fetch(...words)), ...given };
  return async (question, call = {}) => {
    const { timeoutMs, retries } = patienceOf(options, call);
    const { isRepeatable } = question;
    const body = question.body === undefined ? undefined : JSON.stringify(question.body);
    const deadline = platform.now() + timeoutMs;
    const clock = startCallClock(timeoutMs, call.signal);
    try {
      let failed: HeadraceClientError | undefined;
      for (let made = 1; ; made++) {
        const key = await keyOf(options, base, clock);
        const leftMs = deadline - platform.now();
        // Whoever gives the key took what time there was.
        if (leftMs <= 0) throw failed ?? lateError(base);
        const attempt = { base, question, body, headers: headersOf(options, key, question, call, leftMs), clock };
        const told = await tryOnce(attempt, platform);
        if ('answer' in told) return told.answer;
        failed = told.error;
        failed.attempts = made;
        const tries = { made, leftMs: deadline - platform.now(), retries, isRepeatable, chance: platform.chance() };
        const waitMs = clock.end() === undefined ? waitBeforeRetry(told.failure, tries) : undefined;
        if (waitMs === undefined) throw failed;
        await platform.sleep(waitMs, clock.signal);
        const end = clock.end();
        if (end !== undefined) throw end.by === 'caller' ? end.reason : failed;
      }
    } finally {
      clock.stop();
    }
  };
}

/** Rejects with the caller's reason, HR_TIMEOUT, or what the function that gives it throws. */
async function keyOf({ key }: ClientOptions, base: string, clock: CallClock): Promise<string | undefined> {
  if (typeof key !== 'function') return key;
  try {
    return await clock.within(Promise.resolve(key()));
  } catch (thrown) {
    const end = clock.end();
    if (end === undefined) throw thrown;
    throw end.by === 'caller' ? end.reason : lateError(base, thrown);
  }
}

function headersOf(
  options: ClientOptions,
  key: string | undefined,
  question: Question,
  { traceparent, requestId }: CallOptions,
  leftMs: number,
): Headers {
  // What fetch says of a header that it does not take has its value in it, and some are secret.
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw new HeadraceClientError('key: expected printable ASCII without blanks.', { code: 'HR_INVALID' });
  }
  const own: Readonly<Record<string, string | undefined>> = {
    accept: 'application/json',
    'content-type': question.body === undefined ? undefined : 'application/json',
    authorization: key === undefined ? undefined : `Bearer ${key}`,
    'x-request-timeout-ms': String(Math.max(1, Math.floor(leftMs))),
    traceparent,
    'x-request-id': requestId,
    ...question.headers,
  };
  const headers = new Headers();
  for (const [name, value] of [...Object.entries(options.headers ?? {}), ...Object.entries(own)]) {
    if (value === undefined) continue;
    try {
      headers.set(name, value);
    } catch {
      const message = 'expected a name and a value that HTTP takes: printable ASCII, on one line';
      throw new HeadraceClientError(`${name}: ${message}.`, { code: 'HR_INVALID', errors: [{ path: name, message }] });
    }
  }
  return headers;
}

interface Attempt {
  readonly base: string;
  readonly question: Question;
  readonly body: string | undefined;
  readonly headers: Headers;
  readonly clock: CallClock;
}

type Told = { readonly answer: Answer } | { readonly failure: Failure; readonly error: HeadraceClientError };

/** Throws where the call is over: the caller's reason, the deadline, an answer that is none. */
async function tryOnce({ base, question, body, headers, clock }: Attempt, platform: Platform): Promise<Told> {
  let response: Response;
  let text: string;
  try {
    response = await platform.fetch(`${base}${question.path}`, {
      method: question.method,
      headers,
      ...(body === undefined ? {} : { body }),
      signal: clock.signal,
      // A key goes to one server alone.
      redirect: 'manual',
    });
    text = await response.text();
  } catch (thrown) {
    return broken(base, thrown, clock);
  }
  const { status } = response;
  const isAnswer = response.ok || question.alsoAnswers?.includes(status) === true;
  const read = parseJson(text);
  if (isAnswer && read !== undefined) return { answer: { status, body: read } };
  const error = isAnswer ? noServer(base, status) : problemOf(base, response, read);
  const failure = { kind: 'answer', status, code: error.code, retryAfterMs: error.retryAfterMs } as const;
  return { failure, error };
}

function broken(base: string, thrown: unknown, clock: CallClock): Told {
  const end = clock.end();
  if (end?.by === 'caller') throw end.reason;
  if (end?.by === 'deadline') return { failure: { kind: 'lost' }, error: lateError(base, thrown) };
  const why = reasonOf(thrown);
  if (isUnsent(thrown)) {
    const message = `no connection to ${base}: ${why}. Is the server running, and is that its address?`;
    return {
      failure: { kind: 'unsent' },
      error: new HeadraceClientError(message, { code: 'HR_UNREACHABLE', cause: thrown }),
    };
  }
  const message = `the connection to ${base} broke before the answer was here: ${why}`;
  return {
    failure: { kind: 'lost' },
    error: new HeadraceClientError(message, { code: 'HR_CONNECTION_LOST', cause: thrown }),
  };
}

function lateError(base: string, cause?: unknown): HeadraceClientError {
  const message = `${base} did not answer in time; \`timeoutMs\` is how long a call may take.`;
  return new HeadraceClientError(message, { code: 'HR_TIMEOUT', cause });
}

/** RFC 9457, as the server writes it; OpenFeature's form for flags. */
function problemOf(base: string, { status, headers }: Response, read: unknown): HeadraceClientError {
  const problem = (read ?? {}) as Readonly<Record<string, unknown>>;
  const { code = problem['errorCode'], detail = problem['errorDetails'], errors, request_id: inBody } = problem;
  if (typeof code !== 'string') return noServer(base, status, headers);
  return new HeadraceClientError(typeof detail === 'string' ? detail : `${base} answered ${status}.`, {
    code,
    status,
    errors: Array.isArray(errors) ? (errors as readonly Mistake[]) : [],
    requestId: headers.get('x-request-id') ?? (typeof inBody === 'string' ? inBody : undefined),
    retryAfterMs: parseRetryAfter(headers.get('retry-after'), Date.now()),
  });
}

function noServer(base: string, status: number, headers?: Headers): HeadraceClientError {
  const message = `${base} answered ${status} with what no Headrace server says. Is that its address, and what stands before it?`;
  return new HeadraceClientError(message, {
    code: 'HR_UNEXPECTED_ANSWER',
    status,
    retryAfterMs: parseRetryAfter(headers?.get('retry-after') ?? null, Date.now()),
  });
}

/** Undefined for what is no JSON: no JSON text means undefined. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
