// A call's place in a trace: its span where that is sampled, named and described by OpenTelemetry's conventions for RPC, else the
// trace that it came with.

import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http2';
import { type HeadraceError, withoutKeySecrets } from '../../../core/index.ts';
import { parseTraceparent, type RequestSpan, type Tracing } from '../../../monitoring/index.ts';

export class CallTrace {
  readonly span: RequestSpan | undefined;
  /** W3C trace id; null outside of a trace. */
  readonly traceId: string | null;
  /** For the answer's metadata. */
  readonly traceparent: string | undefined;

  constructor(tracing: Tracing | undefined, path: string, headers: IncomingHttpHeaders) {
    const sent = headers['traceparent'];
    const given = typeof sent === 'string' ? sent : undefined;
    const method = path.slice(1);
    this.span = tracing?.startRequest(given, method.slice(0, 200));
    const parent = parseTraceparent(given);
    this.traceId = this.span?.traceId ?? parent?.traceId ?? null;
    this.traceparent = this.span?.traceparent;
    if (this.span === undefined && parent !== undefined) {
      const flags = parent.isSampled ? '01' : '00';
      this.traceparent = `00-${parent.traceId}-${randomBytes(8).toString('hex')}-${flags}`;
    }
    const [service = '', name = ''] = method.split('/');
    this.span?.set('rpc.system', 'grpc');
    this.span?.set('rpc.service', service.slice(0, 200));
    this.span?.set('rpc.method', name.slice(0, 200));
  }

  end(status: number, requestId: string, endpoint: string | undefined, failure: HeadraceError | undefined): void {
    const { span } = this;
    if (span === undefined) return;
    span.set('rpc.grpc.status_code', status);
    span.set('headrace.request_id', requestId);
    if (endpoint !== undefined) span.set('headrace.endpoint', withoutKeySecrets(endpoint));
    span.end(failure);
  }
}
