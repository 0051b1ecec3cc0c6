// Stands between a client and a real HTTP server, and does to answers what networks do: a status of its own, an end in the
// middle, silence. Counts the bytes of bodies that pass.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { freePort } from './free-port.ts';

export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Passes the request on, and ends the connection in place of the answer. */
  | { readonly kind: 'drop' }
  /** Ends the connection after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Says no more after so many bytes of the body, or nothing at all, and keeps the connection. */
  | { readonly kind: 'silence'; readonly afterBytes?: number }
  /** Answers later. */
  | { readonly kind: 'slow'; readonly ms: number };

export interface FaultyProxy {
  readonly endpoint: string;
  /** Asked for each request; undefined lets it pass. */
  fault: (method: string, path: string, headers: IncomingHttpHeaders) => Fault | undefined;
  /** Of answers' bodies, since it was last set. */
  bytes: number;
  requests: number;
  stop(): Promise<void>;
}

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const proxy: { -readonly [K in keyof FaultyProxy]: FaultyProxy[K] } = {
    endpoint: '',
    fault: () => undefined,
    bytes: 0,
    requests: 0,
    stop: async () => {},
  };
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): void => {
    const { method, url, headers } = incoming;
    const onward = request({ hostname, port: targetPort, method, path: url, headers }, (answer) => {
      if (fault?.kind === 'drop') {
        answer.resume().once('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      let passed = 0;
      answer.on('data', (piece: Buffer) => {
        passed += piece.length;
        if (method !== 'HEAD') proxy.bytes += piece.length;
        if (fault?.kind === 'cut' && passed > fault.afterBytes) {
          const rest = piece.length - (passed - fault.afterBytes);
          outgoing.write(piece.subarray(0, Math.max(0, rest)), () => outgoing.destroy());
          answer.destroy();
          return;
        }
        if (fault?.kind === 'silence' && passed > (fault.afterBytes ?? 0)) {
          // What follows is left where it is, until whoever asked goes away.
          answer.pause();
          outgoing.once('close', () => answer.destroy());
          outgoing.write(piece.subarray(0, Math.max(0, piece.length - (passed - (fault.afterBytes ?? 0)))));
          return;
        }
        outgoing.write(piece);
      });
      answer.on('end', () => outgoing.end());
      answer.on('error', () => outgoing.destroy());
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  };
  const server = createServer((incoming, outgoing) => {
    proxy.requests++;
    const fault = proxy.fault(incoming.method ?? '', incoming.url ?? '', incoming.headers);
    if (fault?.kind === 'status') {
      incoming.resume();
      outgoing.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers });
      outgoing.end('<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>');
      return;
    }
    if (fault?.kind === 'silence' && fault.afterBytes === undefined) {
      incoming.resume();
      return;
    }
    if (fault?.kind === 'slow') setTimeout(() => pass(incoming, outgoing, fault), fault.ms);
    else pass(incoming, outgoing, fault);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  proxy.endpoint = `http://127.0.0.1:${port}`;
  proxy.stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return proxy;
}
