// Spans by OpenTelemetry's API behind our own port, so that whoever traces knows nothing of it.

import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import type { Span as OtelSpan, Tracer } from '@opentelemetry/api';
import { type Span, toHeadraceError } from '../../core/index.ts';
import { failureKind, type RequestSpan, type Tracing } from '../../monitoring/index.ts';

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

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** Where a request comes from, by its header; one that is not valid is left alone, as the standard asks. */
function parentOf(traceparent: string | undefined): Context {
  if (traceparent === undefined) return ROOT_CONTEXT;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
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
