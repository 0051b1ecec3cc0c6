// Which ports a server listens on: by its options, else by its configuration.

import { expect, it } from 'vitest';
import { portsOf } from '../../src/app/start-server.ts';

const CONFIGURED = { 'server.port': 8080, 'server.grpcPort': 8081 };

it('listens where it is configured to, unless an option names another port', () => {
  expect(portsOf({}, CONFIGURED)).toEqual({ port: 8080, grpcPort: 8081 });
  expect(portsOf({ port: 9000 }, CONFIGURED)).toEqual({ port: 9000, grpcPort: 8081 });
  expect(portsOf({ port: 9000, grpcPort: 9001 }, CONFIGURED)).toEqual({ port: 9000, grpcPort: 9001 });
});

it('lets the system choose the port of gRPC where it chooses that of HTTP', () => {
  expect(portsOf({ port: 0 }, CONFIGURED)).toEqual({ port: 0, grpcPort: 0 });
  expect(portsOf({}, { ...CONFIGURED, 'server.port': 0 })).toEqual({ port: 0, grpcPort: 0 });
  expect(portsOf({ port: 0, grpcPort: 9001 }, CONFIGURED)).toEqual({ port: 0, grpcPort: 9001 });
});

it('has no port of gRPC unless one is named', () => {
  const withoutGrpc = { 'server.port': 8080 };
  expect(portsOf({ port: 0 }, withoutGrpc).grpcPort).toBeUndefined();
  expect(portsOf({ grpcPort: 0 }, withoutGrpc)).toEqual({ port: 8080, grpcPort: 0 });
});
