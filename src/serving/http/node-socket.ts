// What node:http keeps of a connection's requests and tells nobody. Absent where a request is injected.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface HttpSocket extends Socket {
  readonly _httpMessage?: ServerResponse | null;
  readonly parser?: { readonly incoming: IncomingMessage | null } | null;
}

/** The response whose turn it is on the connection: the oldest that is not written to its end. */
export function responseInTurn(socket: Socket): ServerResponse | undefined {
  return (socket as HttpSocket)._httpMessage ?? undefined;
}

/** The newest request on the connection; undefined once it was read and answered. */
export function newestRequest(socket: Socket): IncomingMessage | undefined {
  return (socket as HttpSocket).parser?.incoming ?? undefined;
}

/** Whether no other request came behind it, whose answer would be lost if this one's were the connection's last. */
export function isNewest(request: IncomingMessage): boolean {
  return (newestRequest(request.socket) ?? request) === request;
}
