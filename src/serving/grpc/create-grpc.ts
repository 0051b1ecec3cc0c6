// The gRPC server: its services over the planes, behind the gate that HTTP has. It translates and holds no logic.

import type { ErrorCode, Logger } from '../../core/index.ts';
import type { Tracing } from '../../monitoring/index.ts';
import type { BytesInFlight } from '../bytes-in-flight.ts';
import type { TlsFiles } from '../http/create-http-server.ts';
import { createRequestLog, type LoggedRequests } from '../http/request-log.ts';
import type { Security } from '../http/security/security.ts';
import type { ServingPlanes } from '../open-serving.ts';
import { healthService } from './health-service.ts';
import { NATIVE_SERVICE, nativeService } from './native/native-service.ts';
import { OIP_SERVICE, oipService } from './oip/oip-service.ts';
import { reflectionService } from './reflection/reflection-service.ts';
import type { CallLimits } from './transport/call-parts.ts';
import { createGrpcServer, type GrpcServer } from './transport/listen-grpc.ts';

export interface GrpcOptions {
  readonly logger: Logger;
  readonly loggedRequests: LoggedRequests;
  /** Hears of each call of somebody who may not ask. */
  readonly onTurnedAway: (code: ErrorCode) => void;
  readonly tracing: Tracing | undefined;
  /** Of all bodies, of HTTP too. */
  readonly bytes: BytesInFlight;
  readonly security: Pick<Security, 'gate' | 'refused'>;
  readonly tls: TlsFiles | undefined;
  readonly maxConnections: number;
  readonly version: string;
  readonly limits: CallLimits;
}

export function createGrpc(
  planes: Pick<ServingPlanes, 'data' | 'ingest' | 'control' | 'inference'>,
  { logger, loggedRequests, onTurnedAway, security, ...options }: GrpcOptions,
): GrpcServer {
  let lastId = 0;
  return createGrpcServer({
    ...options,
    methods: new Map([
      ...nativeService(planes),
      ...oipService(planes.inference, options.version),
      ...healthService(planes.control, [NATIVE_SERVICE, OIP_SERVICE]),
      ...reflectionService(),
    ]),
    gate: security.gate,
    refused: security.refused,
    log: createRequestLog(logger, loggedRequests, onTurnedAway),
    logger,
    loggedRequests,
    requestId: (given) => given ?? `${process.pid.toString(36)}-g${(lastId++).toString(36)}`,
  });
}
