// The port of traces: who sends them is the composition root's choice, and without one nothing is done for them.

import type { Span } from '../../core/index.ts';

/** The span of one request on this server. */
export interface RequestSpan extends Span {
  /** W3C trace id. */
  readonly traceId: string;
  /** For the answer's `traceparent` header. */
  readonly traceparent: string;
}

export interface Tracing {
  /**
   * Begins a request's span, within the trace of its `traceparent` header where that is a valid one: a caller that samples is
   * followed, else the ratio decides. Undefined: not sampled. `name` is `METHOD /route`.
   */
  startRequest(traceparent: string | undefined, name: string): RequestSpan | undefined;
  /** Sends what is waiting. Never throws. */
  shutdown(): Promise<void>;
}
