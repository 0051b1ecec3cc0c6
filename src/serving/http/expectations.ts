// `Expect: 100-continue`: a client is told to send its body once the body is read, never one whose request is refused before.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Requests that wait to be told. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/** Every request goes on to the server's own listener, which refuses what it does not take. */
export function answerExpectations(server: Server): void {
  const goOn = (request: IncomingMessage, response: ServerResponse): void =>
    void server.emit('request', request, response);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response);
    goOn(request, response);
  });
  // Of anything else: without this node:http answers by itself.
  server.on('checkExpectation', goOn);
}

/** For a request whose body is read from here on; does nothing where its client waits for nothing. */
export function sendContinue(request: IncomingMessage): void {
  if (request.headers.expect === undefined) return;
  waiting.get(request)?.writeContinue();
  waiting.delete(request);
}
