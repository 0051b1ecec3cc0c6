// Requests to a cluster's API server. What is throttled, broken or away is asked again, as long as the server itself says, and given
// up in the end.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { HeadraceError, type Logger, messageOf } from '../../../core/index.ts';
import { pause } from '../cluster/patient.ts';
import type { SignIn } from './sign-in.ts';

/** The server understood, and says no. `reason` is its own word for it: 'AlreadyExists', 'Forbidden'; '' where it has none. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export interface KubernetesApi {
  /**
   * Throws ApiRefusal for a 4xx that asking again does not mend, HR_CONFIG where it takes no credentials of these,
   * HR_SERVER_UNREACHABLE once it has given up.
   */
  ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown>;
  /** A watch: each line as it comes, until the server ends it. Throws ApiRefusal, or what broke the connection. */
  stream(path: string, onLine: (line: string) => void): Promise<void>;
  /** Ends what is under way. */
  close(): void;
}

export interface ApiOptions {
  readonly signIn: SignIn;
  readonly logger: Logger;
  /** How long it is asked again. Default: 10 min; an API server that is upgraded or elected anew is back well before. */
  readonly giveUpMs?: number;
  /** How long a watch may say nothing. Default: 2 min; a server that is well sends a bookmark each minute. */
  readonly quietMs?: number;
}

const FIRST_MS = 250;
const MOST_MS = 15_000;
const GIVE_UP_MS = 10 * 60_000;
/** Credentials may be renewed while they are asked with; those that are wrong stay so. */
const SIGN_IN_MS = 30_000;
const RIGHTS_MS = 10_000;
const SILENCE_MS = 60_000;
const QUIET_MS = 120_000;

/** What the server sent in place of what was asked for. */
interface Status {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
}

export function openApi({ signIn, logger, giveUpMs = GIVE_UP_MS, quietMs = QUIET_MS }: ApiOptions): KubernetesApi {
  const { server } = signIn;
  const closed = new AbortController();
  const { signal } = closed;
  const begin = async (method: string, path: string, silenceMs: number, body?: string): Promise<IncomingMessage> => {
    const { headers, ...options } = await signIn.optionsOf();
    const url = new URL(server.replace(/\/$/, '') + path);
    const request = url.protocol === 'http:' ? httpRequest : httpsRequest;
    return await new Promise((resolve, reject) => {
      let response: IncomingMessage | undefined;
      const json = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = request(
        url,
        { ...options, method, signal, headers: { ...headers, accept: 'application/json', ...json } },
        (answer) => resolve((response = answer)),
      );
      sent.setTimeout(silenceMs, () => {
        // Of an answer that has begun only the answer itself tells whoever reads it.
        (response ?? sent).destroy(new Error(`it said nothing for ${silenceMs / 1000} s`));
        // Where one connection has died in silence, those that are kept beside it have too.
        signIn.disconnect();
      });
      sent.on('error', reject);
      sent.end(body);
    });
  };

  const askOnce = async (method: string, path: string, body: string | undefined): Promise<Answer> => {
    const response = await begin(method, path, SILENCE_MS, body);
    const text = await textOf(response);
    const status = response.statusCode ?? 0;
    if (status < 300) return { value: JSON.parse(text) };
    return { refusal: readStatus(text, status), waitMs: Number(response.headers['retry-after'] ?? 0) * 1000 || 0 };
  };

  return {
    async ask(method, path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const sinceMs = performance.now();
      // Whoever asks is refused since then: a server that was away until now has only begun to look.
      let refusedMs: number | undefined;
      for (let waitMs = FIRST_MS; ; waitMs = Math.min(2 * waitMs, MOST_MS)) {
        let why: string;
        let asked = 0;
        try {
          const answer = await askOnce(method, path, text);
          if ('value' in answer) return answer.value;
          const { refusal } = answer;
          why = refusal.message;
          const nowMs = performance.now();
          refusedMs = isOfAsker(refusal) ? (refusedMs ?? nowMs) : undefined;
          const forMs = nowMs - (refusedMs ?? nowMs);
          if (refusal.status === 401) {
            if (forMs > Math.min(SIGN_IN_MS, giveUpMs)) throw notSignedIn(server, why);
            signIn.renew();
          } else if (!isToRepeat(refusal) && !(isOfAsker(refusal) && forMs < RIGHTS_MS))
            throw new ApiRefusal(refusal.status, refusal.reason, why);
          asked = Math.min(answer.waitMs, MOST_MS);
        } catch (error) {
          if (error instanceof ApiRefusal || error instanceof HeadraceError) throw error;
          refusedMs = undefined;
          why = messageOf(error);
        }
        if (signal.aborted || performance.now() - sinceMs > giveUpMs)
          throw new HeadraceError(
            'HR_SERVER_UNREACHABLE',
            `the API server of Kubernetes at ${server} does not do as it is asked: ${why}; see whether \`kubectl get jobs\` works here, and resume the run`,
          );
        logger.warn({ error: why }, 'the API server of Kubernetes was asked in vain; asked again');
        // Those that were turned away together do not come back together.
        await pause(Math.max(asked, waitMs) * (1 + Math.random() / 2), signal);
      }
    },
    async stream(path, onLine) {
      const response = await begin('GET', path, quietMs);
      const code = response.statusCode ?? 0;
      if (code >= 300) {
        const { status, reason, message } = readStatus(await textOf(response), code);
        if (status === 401) signIn.renew();
        throw new ApiRefusal(status, reason, message);
      }
      let rest = '';
      for await (const piece of response.setEncoding('utf8')) {
        const lines = (rest + String(piece)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') onLine(line);
      }
    },
    close: () => closed.abort(),
  };
}

type Answer = { readonly value: unknown } | { readonly refusal: Status; readonly waitMs: number };

function notSignedIn(server: string, why: string): HeadraceError {
  return new HeadraceError(
    'HR_CONFIG',
    `the API server of Kubernetes at ${server} does not take the credentials of the kubeconfig: ${why}; renew them, see whether \`kubectl auth whoami\` works here, and resume the run`,
  );
}

function isToRepeat({ status, reason, message }: Status): boolean {
  if (status === 429 || status >= 500) return true;
  // Two that were counted against one quota at once: one of them is to come again.
  if (status === 409) return reason !== 'AlreadyExists';
  // A quota has room again once others have ended.
  return status === 403 && message.includes('exceeded quota');
}

/** For who asks, whatever it is: a token is renewed, and a server that starts knows of nobody's rights for a moment. */
function isOfAsker({ status, message }: Status): boolean {
  return status === 401 || (status === 403 && / cannot \w+ resource /.test(message));
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer); // No encoding was set.
  return Buffer.concat(chunks).toString();
}

/** Of a Status, as API servers answer; of a proxy's page its beginning. */
function readStatus(text: string, status: number): Status {
  try {
    const { message, reason } = JSON.parse(text) as { readonly message?: unknown; readonly reason?: unknown };
    if (typeof message === 'string') return { status, message, reason: typeof reason === 'string' ? reason : '' };
  } catch {
    // a page
  }
  return { status, reason: '', message: `HTTP ${status} ${text.slice(0, 200)}`.trim() };
}
