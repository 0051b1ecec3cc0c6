// A receiver of OTLP over HTTP, such as a collector: takes protobuf, and keeps what came. Messages and field numbers are those of
// opentelemetry-proto (https://github.com/open-telemetry/opentelemetry-proto, Apache-2.0), as far as they are looked at.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`syntax = "proto3";
message Value { oneof value { string text = 1; bool bool = 2; int64 int = 3; double double = 4; } }
message Pair { string key = 1; Value value = 2; }
message Resource { repeated Pair attributes = 1; }
message Traces { repeated ResourceSpans resources = 1; }
message ResourceSpans { repeated ScopeSpans scopes = 2; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; bytes parent_id = 4; string name = 5; int32 kind = 6;
  fixed64 start = 7; fixed64 end = 8; repeated Pair attributes = 9; Status status = 15;
}
message Status { int32 code = 3; }
message Metrics { repeated ResourceMetrics resources = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scopes = 2; }
message ScopeMetrics { repeated Metric metrics = 2; }
message Metric { string name = 1; string unit = 3; Numbers gauge = 5; Numbers sum = 7; Histograms histogram = 9; }
message Numbers { repeated Number points = 1; bool is_monotonic = 3; }
message Number { oneof value { double double = 4; sfixed64 int = 6; } repeated Pair attributes = 7; }
message Histograms { repeated Histogram points = 1; }
message Histogram { fixed64 count = 4; double sum = 5; repeated fixed64 buckets = 6; repeated Pair attributes = 9; }`);

type ReceivedSpan = ReturnType<typeof readSpans>[number];
export type ReceivedPoint = ReturnType<typeof readPoints>[number];
export type OtlpReceiver = Awaited<ReturnType<typeof startOtlpReceiver>>;

/** Keeps spans, and the points of each export. */
export async function startOtlpReceiver() {
  const spans: ReceivedSpan[] = [];
  const exports: ReceivedPoint[][] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const isProtobuf = request.headers['content-type'] === 'application/x-protobuf';
      if (isProtobuf && request.url === '/v1/traces') spans.push(...readSpans(body));
      else if (isProtobuf && request.url === '/v1/metrics') exports.push(readPoints(body));
      else response.statusCode = 404;
      response.setHeader('content-type', 'application/x-protobuf').end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, exports, close };
}

type Pairs = readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> | null }[];
interface Span extends Record<'traceId' | 'spanId' | 'parentId', Buffer> {
  readonly name: string;
  readonly kind: number;
  readonly start: string;
  readonly end: string;
  readonly attributes: Pairs;
  readonly status: { readonly code: number } | null;
}
interface Point extends Readonly<Record<'double' | 'int' | 'sum' | 'count', number | string | undefined>> {
  readonly attributes: Pairs;
  readonly buckets?: readonly string[];
}
interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly [kind: string]: string | { readonly points: readonly Point[]; readonly isMonotonic?: boolean } | null;
}

/** Whole numbers of 64 bits are text. */
function read<Resource>(type: string, body: Buffer): readonly Resource[] {
  const as = root.lookupType(type);
  return (as.toObject(as.decode(body), { longs: String, defaults: true }) as { resources: Resource[] }).resources;
}

const attributesOf = (pairs: Pairs): Record<string, unknown> =>
  Object.fromEntries(
    pairs.map(({ key, value }) => {
      const { text, bool, int, double } = value ?? {};
      return [key, text ?? bool ?? (int === undefined ? (double ?? null) : Number(int))];
    }),
  );

/** The kind of a server's is 2, of an internal one 1; an error has the status 2; a root's `parentId` is empty. */
const readSpans = (body: Buffer) =>
  read<{ scopes: { spans: Span[] }[] }>('Traces', body)
    .flatMap(({ scopes }) => scopes.flatMap(({ spans }) => spans))
    .map(({ traceId, spanId, parentId, name, kind, start, end, attributes, status }) => ({
      traceId: traceId.toString('hex'),
      spanId: spanId.toString('hex'),
      parentId: parentId.toString('hex'),
      name,
      kind,
      nanos: BigInt(end) - BigInt(start),
      attributes: attributesOf(attributes),
      status: status?.code ?? 0,
    }));

const readPoints = (body: Buffer) =>
  read<{ resource: { attributes: Pairs } | null; scopes: { metrics: Metric[] }[] }>('Metrics', body).flatMap(
    ({ resource, scopes }) => {
      const of = attributesOf(resource?.attributes ?? []);
      const from = { instance: of['service.instance.id'], service: of['service.name'] };
      const metrics = scopes.flatMap((scope) => scope.metrics);
      return metrics.flatMap((metric) => pointsOf(metric).map((point) => ({ ...point, ...from })));
    },
  );

const pointsOf = (metric: Metric) =>
  (['gauge', 'sum', 'histogram'] as const).flatMap((kind) => {
    const of = metric[kind];
    if (of === null || typeof of !== 'object') return [];
    return of.points.map(({ attributes, double, int, sum, count, buckets = [] }) => ({
      metric: metric.name,
      unit: metric.unit,
      kind,
      isMonotonic: of.isMonotonic ?? kind === 'histogram',
      attributes: attributesOf(attributes),
      value: Number(sum ?? double ?? int),
      count: Number(count ?? 0),
      buckets: buckets.map(Number),
    }));
  });
