// gRPC beside HTTP, by the same settings: opened only where it has a port, so that nobody else loads it.

import type { Monitor, Tracing } from '../monitoring/index.ts';
import {
  type createBytesInFlight,
  type GrpcServer,
  loadGrpc,
  type LoggedRequests,
  type ServingPlanes,
} from '../serving/index.ts';
import { cannotListen } from './cannot-listen.ts';
import type { App } from './open-app.ts';
import type { ServerSecurity } from './open-security.ts';
import { packageVersion } from './package-version.ts';

export interface GrpcParts {
  readonly planes: ServingPlanes;
  readonly guard: ServerSecurity;
  readonly bytes: ReturnType<typeof createBytesInFlight>;
  readonly tracing: Tracing | undefined;
  readonly monitor: Pick<Monitor, 'turnedAway'>;
}

/** It listens to nothing yet. */
export async function openGrpc(
  { config: { values }, logger }: Pick<App, 'config' | 'logger'>,
  { planes, guard, bytes, tracing, monitor }: GrpcParts,
): Promise<GrpcServer> {
  const { createGrpc } = await loadGrpc();
  const maxStreams = values['server.maxStreams'];
  const grpc = createGrpc(planes, {
    logger,
    loggedRequests: values['log.requests'] as LoggedRequests,
    onTurnedAway: (code) => monitor.turnedAway(code),
    tracing,
    bytes,
    security: guard.security,
    tls: guard.tls,
    version: packageVersion(),
    maxConnections: values['server.maxConnections'],
    limits: {
      bodyLimitBytes: values['server.bodyLimit'],
      bodyTimeoutMs: values['server.bodyTimeoutMs'],
      requestTimeoutMs: values['server.requestTimeoutMs'],
      maxCalls: values['server.maxInFlight'] + maxStreams,
      maxStreams,
    },
  });
  guard.followTls(grpc.server);
  return grpc;
}

/** Gives host and port; undefined where it is not served. Throws HR_CONFIG. */
export async function listenGrpc(
  grpc: GrpcServer | undefined,
  { host, grpcPort = 0 }: { readonly host: string; readonly grpcPort?: number | undefined },
): Promise<string | undefined> {
  if (grpc === undefined) return undefined;
  try {
    const port = await grpc.listen(host, grpcPort);
    return `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
  } catch (thrown) {
    throw cannotListen(host, grpcPort, thrown, '--grpc-port');
  }
}
