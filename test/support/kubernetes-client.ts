// Requests of the tests themselves to an API server of Kubernetes, past what they test.

import { Agent, request } from 'node:https';

/** Who may sign in: by name, with a token of that name. `admin` may all. */
export const USERS = { admin: 'system:masters', driver: '', other: '' } as const;
export type KubernetesUser = keyof typeof USERS;

/** What the API answers; of its body tests read what they know of. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Answer = { readonly status: number; readonly body: any };

export interface KubernetesPlace {
  readonly port: number;
  /** The certificate that it shows, which is its own authority. */
  readonly ca: string;
  /** For what the tests write. */
  readonly folder: string;
}

export type KubernetesClient = ReturnType<typeof openKubernetesClient>;

export function openKubernetesClient({ port, ca, folder }: KubernetesPlace) {
  const agent = new Agent({ keepAlive: true, ca });
  /** Whatever the status; as the administrator unless another is named. */
  const ask = (
    method: string,
    path: string,
    body?: object,
    contentType = 'application/json',
    user: KubernetesUser = 'admin',
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = {
        authorization: `Bearer ${user}-token`,
        'content-type': contentType,
        // Of a DELETE nobody else says it.
        'content-length': String(Buffer.byteLength(text)),
      };
      const sent = request({ host: '127.0.0.1', port, method, path, agent, headers, timeout: 60_000 }, (response) => {
        let said = '';
        response.setEncoding('utf8').on('data', (piece: string) => (said += piece));
        response.once('error', reject);
        response.once('end', () => {
          let parsed: unknown = said;
          try {
            parsed = JSON.parse(said);
          } catch {
            // ok, as /readyz says
          }
          resolve({ status: response.statusCode ?? 0, body: parsed });
        });
      });
      sent.once('timeout', () => sent.destroy(new Error('the API server of the tests said nothing for 60 s')));
      sent.once('error', (error) => {
        // One that was kept for too long is closed by the server.
        if (sent.reusedSocket && 'code' in error && error.code === 'ECONNRESET')
          resolve(ask(method, path, body, contentType, user));
        else reject(error);
      });
      sent.end(text);
    });
  const demand = async (method: string, path: string, body?: object, contentType?: string): Promise<Answer['body']> => {
    const answer = await ask(method, path, body, contentType);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body.message ?? answer.body)}`);
    return answer.body;
  };
  return {
    port,
    ca,
    folder,
    ask,
    /** The same; throws where the answer is no success. */
    do: demand,
    /** Lines of a watch, as the administrator, until the signal ends it or the server does. */
    watch: (path: string, onLine: (line: string) => void, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        const headers = { authorization: 'Bearer admin-token' };
        const options = { host: '127.0.0.1', port, path, headers, ca, signal };
        const sent = request(options, (response) => {
          let rest = '';
          response.setEncoding('utf8').on('data', (piece: string) => {
            const lines = (rest + piece).split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) if (line !== '') onLine(line);
          });
          response.once('error', () => resolve());
          response.once('close', () => resolve());
        });
        sent.once('error', () => resolve());
        sent.end();
      }),
    close: () => agent.destroy(),
  };
}
