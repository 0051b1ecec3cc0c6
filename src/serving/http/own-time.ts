// Requests whose bodies may take longer than server.bodyTimeoutMs: their route bounds them itself. node:http knows one time for
// all requests of a server, and tells of each that is over it once.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { newestRequest } from './node-socket.ts';

const taken = new WeakSet<IncomingMessage>();

/** From now on the request's route says how long its body may take. */
export function takeOwnTime(request: IncomingMessage): void {
  taken.add(request);
}

export function hasOwnTime(socket: Socket): boolean {
  const request = newestRequest(socket);
  return request !== undefined && taken.has(request);
}
