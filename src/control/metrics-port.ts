// Prometheus' text of a command that goes on, on a port of its own: of this machine alone.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HeadraceError, messageOf } from '../core/index.ts';

export interface MetricsPort {
  readonly url: string;
  close(): Promise<void>;
}

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** 0 takes a free port. What `text` throws is answered 503. Throws HR_CONFIG for a port that can't be had. */
export function listenForScrapes(port: number, text: () => Promise<string>): Promise<MetricsPort> {
  const server = createServer((request, response) => {
    if (request.url?.replace(/\?.*/, '') !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    text().then(
      (metrics) => response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(metrics),
      (error: unknown) => response.writeHead(503, { 'content-type': 'text/plain' }).end(`${messageOf(error)}\n`),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new HeadraceError('HR_CONFIG', `metrics cannot be served on port ${port}: ${messageOf(error)}`));
    });
    server.listen(port, '127.0.0.1', () => {
      resolve({
        // It listens on an address with a port.
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}
