// How far behind a consumer is and what it did, for Prometheus: on a port of its own.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import { HeadraceError, messageOf } from '../core/index.ts';
import type { ConsumeProgress } from './consume.ts';

export interface StreamMetrics {
  set(progress: ConsumeProgress): void;
  /** Listens on that port of this machine alone; 0 takes a free one. Gives the URL. Throws HR_CONFIG. */
  listen(port: number): Promise<string>;
  close(): Promise<void>;
}

export function createStreamMetrics(source: string, topic: string): StreamMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ source, topic });
  const registers = [registry];
  const lag = new Gauge({
    name: 'headrace_stream_lag',
    help: 'Messages of a partition that are not pushed yet.',
    labelNames: ['partition'],
    registers,
  });
  const position = new Gauge({
    name: 'headrace_stream_position',
    help: 'Offset up to which a partition is pushed.',
    labelNames: ['partition'],
    registers,
  });
  const rows = new Counter({ name: 'headrace_stream_rows_total', help: 'Rows pushed.', registers });
  const dead = new Counter({
    name: 'headrace_stream_dead_letters_total',
    help: 'Messages set aside as dead letters.',
    registers,
  });
  let last = { pushed: 0, dead: 0 };
  const server = createServer((request, response) => {
    if (request.url?.replace(/\?.*/, '') !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    void registry.metrics().then((text) => {
      response.writeHead(200, { 'content-type': registry.contentType }).end(text);
    });
  });
  return {
    set(progress) {
      // Partitions that went to others are not told of any more.
      lag.reset();
      position.reset();
      for (const one of progress.partitions) {
        lag.set({ partition: one.partition }, one.lag);
        position.set({ partition: one.partition }, one.position);
      }
      rows.inc(progress.pushed - last.pushed);
      dead.inc(progress.dead - last.dead);
      last = progress;
    },
    listen: (port) =>
      new Promise((resolve, reject) => {
        server.once('error', (error) => {
          reject(new HeadraceError('HR_CONFIG', `metrics cannot be served on port ${port}: ${messageOf(error)}`));
        });
        server.listen(port, '127.0.0.1', () => {
          // It listens on an address with a port.
          resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`);
        });
      }),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
