// Spans by OpenTelemetry's API behind our own port, so that whoever traces knows nothing of it.

import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import type { Span as OtelSpan, Tracer } from '@opentelemetry/api';
import { type Span, toHeadraceError } from '../../core/index.ts';
import { failureKind, parseTraceparent, type RequestSpan, type Tracing } from '../../monitoring/index.ts';

/** `shutdown` is the SDK's: sends what is waiting. */
export function createTracing(tracer: Tracer, shutdown: () => Promise<void>): Tracing {
  return {
    startRequest(traceparent, name) {
      const span = tracer.startSpan(name, { kind: SpanKind.SERVER }, parentOf(traceparent));
      return span.isRecording() ? new SentSpan(tracer, span) : undefined;
    },
    shutdown,
  };
}

/** Where a request comes from, by its header. */
function parentOf(traceparent: string | undefined): Context {
  const parent = parseTraceparent(traceparent);
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, parentId, isSampled } = parent;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: parentId, traceFlags, isRemote: true });
}

// A class, since one is made for every span of a sampled request: its methods are made once.
class SentSpan implements RequestSpan {
  readonly #tracer: Tracer;
  readonly #span: OtelSpan;

  constructor(tracer: Tracer, span: OtelSpan) {
    this.#tracer = tracer;
    this.#span = span;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get traceparent(): string {
    const { traceId, spanId } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-01`;
  }

  child(name: string): Span {
    const context = trace.setSpan(ROOT_CONTEXT, this.#span);
    return new SentSpan(this.#tracer, this.#tracer.startSpan(name, { kind: SpanKind.INTERNAL }, context));
  }

  set(name: string, value: string | number | boolean): void {
    this.#span.setAttribute(name, value);
  }

  // What the client did wrong is no error of the server's span, by the conventions. Messages stay in the log.
  end(thrown?: unknown): void {
    if (thrown !== undefined) {
      const { code } = toHeadraceError(thrown);
      this.#span.setAttribute('error.type', code);
      if (failureKind(code) === 'failed') this.#span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    }
    this.#span.end();
  }
}
