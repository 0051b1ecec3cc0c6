// A TCP or TLS socket with the few events that a connection needs; no message of it holds a password.

import { isIP, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface RedisSocket {
  /** `onWritten` is called when the bytes may be overwritten. */
  write(bytes: Buffer, onWritten: () => void): void;
  destroy(): void;
}

export interface SocketEvents {
  onOpen(): void;
  onData(chunk: Buffer): void;
  /** Once, however it ended. */
  onEnd(error: Error | undefined): void;
}

export function openSocket(host: string, port: number, isTls: boolean, events: SocketEvents): RedisSocket {
  // A certificate is checked against the name; an address has none to send.
  const socket: Socket = isTls
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
    : connectTcp({ host, port });
  socket.setNoDelay(true);
  let failure: Error | undefined;
  socket.once(isTls ? 'secureConnect' : 'connect', () => events.onOpen());
  socket.on('data', (chunk: Buffer) => events.onData(chunk));
  socket.on('error', (error) => {
    failure = error;
  });
  socket.once('close', () => events.onEnd(failure));
  return {
    write(bytes, onWritten) {
      socket.write(bytes, (error) => {
        if (error === undefined || error === null) onWritten();
      });
    },
    destroy: () => void socket.destroy(),
  };
}
