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

  /** `path`: of a method that there is; undefined where there is none, so that no caller makes names of spans. */
  constructor(tracing: Tracing | undefined, path: string | undefined, headers: IncomingHttpHeaders) {
    const sent = headers['traceparent'];
    const given = typeof sent === 'string' ? sent : undefined;
    this.span = tracing?.startRequest(given, path?.slice(1) ?? 'unknown');
    const parent = parseTraceparent(given);
    this.traceId = this.span?.traceId ?? parent?.traceId ?? null;
    this.traceparent = this.span?.traceparent;
    if (this.span === undefined && parent !== undefined) {
      const flags = parent.isSampled ? '01' : '00';
      this.traceparent = `00-${parent.traceId}-${randomBytes(8).toString('hex')}-${flags}`;
    }
    if (this.span === undefined) return;
    this.span.set('rpc.system', 'grpc');
    if (path === undefined) return;
    const [, service = '', name = ''] = path.split('/');
    this.span.set('rpc.service', service);
    this.span.set('rpc.method', name);
  }

  end(status: number, requestId: string, endpoint: string | undefined, failure: HeadraceError | undefined): void {
    const { span } = this;
    if (span === undefined) return;
    span.set('rpc.grpc.status_code', status);
    span.set('headrace.request_id', requestId);
    if (endpoint !== undefined) span.set('headrace.endpoint', withoutKeySecrets(endpoint).slice(0, 200));
    span.end(failure);
  }
}
