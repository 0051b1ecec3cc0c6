// `Expect: 100-continue`: a client is told to send its body where it may be taken, and never for one that is too large anyway.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** `limitBytes` is of one body. Every request goes on to the server's own listener, which refuses what it does not take. */
export function answerExpectations(server: Server, limitBytes: number): void {
  const goOn = (request: IncomingMessage, response: ServerResponse): void =>
    void server.emit('request', request, response);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= limitBytes) response.writeContinue();
    goOn(request, response);
  });
  // Of anything else: without this node:http answers by itself.
  server.on('checkExpectation', goOn);
}
