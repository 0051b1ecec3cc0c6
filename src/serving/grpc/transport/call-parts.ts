// What every call of a server shares.

import type { Logger } from '../../../core/index.ts';
import type { Tracing } from '../../../monitoring/index.ts';
import type { BytesInFlight } from '../../bytes-in-flight.ts';
import type { LoggedRequests, RequestLog } from '../../http/request-log.ts';
import type { Gate } from '../../http/security/gate.ts';
import type { RefusedChanges } from '../../http/security/refused-changes.ts';
import type { Methods } from './method.ts';

export interface CallParts {
  readonly methods: Methods;
  readonly gate: Gate;
  /** Of all bodies, of HTTP too. */
  readonly bytes: BytesInFlight;
  readonly limits: CallLimits;
  readonly refused: Pick<RefusedChanges, 'note'>;
  readonly log: RequestLog;
  readonly logger: Logger;
  readonly loggedRequests: LoggedRequests;
  readonly tracing: Tracing | undefined;
  requestId(given: string | undefined): string;
}

export interface CallLimits {
  /** Of one message. */
  readonly bodyLimitBytes: number;
  /** In which a message that is begun has to arrive, and an answer has to be read. */
  readonly bodyTimeoutMs: number;
  /** The deadline of a call without one. */
  readonly requestTimeoutMs: number;
  /** Calls that are open at once, streams too. */
  readonly maxCalls: number;
  /** Streams that are open at once. */
  readonly maxStreams: number;
}

/** How many there are, of a server. */
export interface OpenCalls {
  calls: number;
  streams: number;
  /** Streams that take no key: strangers' streams keep nobody's away. */
  openStreams: number;
}
