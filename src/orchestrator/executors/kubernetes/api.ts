// Requests to a cluster's API server, signed in as kubectl is. What is throttled, broken or away is asked again, as long as the
// server itself says, and given up in the end.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { type RequestOptions, request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { HeadraceError, type Logger, messageOf } from '../../../core/index.ts';
import { pause } from '../cluster/patient.ts';

/** The server understood, and says no. */
export class ApiRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface KubernetesApi {
  /** Throws ApiRefusal for a 4xx that asking again does not mend, HR_SERVER_UNREACHABLE once it has given up. */
  ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown>;
  /** A watch: each line as it comes, until the server ends it. Throws ApiRefusal, or what broke the connection. */
  stream(path: string, onLine: (line: string) => void): Promise<void>;
  /** Ends what is under way. */
  close(): void;
}

/** How to sign in: address, and what each request carries. */
export interface SignIn {
  readonly server: string;
  optionsOf(): Promise<RequestOptions>;
}

const FIRST_MS = 250;
const MOST_MS = 15_000;
/** An API server that is upgraded or elected anew is back well before. */
const GIVE_UP_MS = 10 * 60_000;
const SILENCE_MS = 60_000;

/** By KUBECONFIG, ~/.kube/config, or in a pod its service account. Throws HR_CONFIG where none of them is there. */
export async function signIn(): Promise<SignIn> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch (error) {
    throw new HeadraceError(
      'HR_CONFIG',
      `the kubeconfig cannot be read: ${messageOf(error)}; correct it, or what KUBECONFIG names`,
    );
  }
  const server = config.getCurrentCluster()?.server;
  if (server === undefined)
    throw new HeadraceError(
      'HR_CONFIG',
      'no cluster of Kubernetes is known here: set KUBECONFIG, or choose a context with `kubectl config use-context`',
    );
  let agent: RequestOptions['agent'];
  return {
    server,
    async optionsOf() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      // One for all requests, for its connections are kept.
      agent ??= options.agent;
      return { ...options, agent };
    },
  };
}

export function openApi({ server, optionsOf }: SignIn, logger: Logger, giveUpMs = GIVE_UP_MS): KubernetesApi {
  const closed = new AbortController();
  const { signal } = closed;
  const begin = async (method: string, path: string, body?: string): Promise<IncomingMessage> => {
    const { headers, ...options } = await optionsOf();
    const url = new URL(server.replace(/\/$/, '') + path);
    const request = url.protocol === 'http:' ? httpRequest : httpsRequest;
    return await new Promise((resolve, reject) => {
      const sent = request(
        url,
        {
          ...options,
          ...(url.protocol === 'http:' ? { agent: undefined } : {}),
          method,
          signal,
          headers: {
            ...headers,
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
        },
        resolve,
      );
      sent.setTimeout(SILENCE_MS, () => sent.destroy(new Error(`it said nothing for ${SILENCE_MS / 1000} s`)));
      sent.on('error', reject);
      sent.end(body);
    });
  };
  return {
    async ask(method, path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const giveUpAt = performance.now() + giveUpMs;
      for (let waitMs = FIRST_MS; ; waitMs = Math.min(2 * waitMs, MOST_MS)) {
        let why: string;
        let asked = 0;
        try {
          const response = await begin(method, path, text);
          const answer = await textOf(response);
          const status = response.statusCode ?? 0;
          if (status < 300) return JSON.parse(answer);
          why = messageIn(answer, status);
          if (!isToRepeat(status, why)) throw new ApiRefusal(status, why);
          asked = Number(response.headers['retry-after'] ?? 0) * 1000 || 0;
        } catch (error) {
          if (error instanceof ApiRefusal) throw error;
          why = messageOf(error);
        }
        if (signal.aborted || performance.now() > giveUpAt)
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
      const response = await begin('GET', path);
      const status = response.statusCode ?? 0;
      if (status >= 300) throw new ApiRefusal(status, messageIn(await textOf(response), status));
      for await (const line of createInterface({ input: response })) if (line !== '') onLine(line);
    },
    close: () => closed.abort(),
  };
}

function isToRepeat(status: number, message: string): boolean {
  if (status === 429 || status >= 500) return true;
  // A quota has room again once others have ended; a token may be renewed.
  return status === 401 || (status === 403 && message.includes('exceeded quota'));
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer); // No encoding was set.
  return Buffer.concat(chunks).toString();
}

/** Of a Status, as API servers answer; of a proxy's page its beginning. */
function messageIn(text: string, status: number): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // a page
  }
  return `HTTP ${status} ${text.slice(0, 200)}`.trim();
}
