// A receiver of OTLP over HTTP, such as a collector: takes protobuf, and keeps what came. Field numbers are those of
// opentelemetry-proto (https://github.com/open-telemetry/opentelemetry-proto, Apache-2.0).

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentId: string;
  readonly name: string;
  /** 2 is a server's, 1 internal. */
  readonly kind: number;
  readonly nanos: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 2 is an error. */
  readonly status: number;
}

export interface ReceivedPoint {
  readonly metric: string;
  readonly unit: string;
  readonly kind: 'gauge' | 'sum' | 'histogram';
  readonly isMonotonic: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a histogram its sum. */
  readonly value: number;
  readonly count: number;
  readonly buckets: readonly number[];
  /** Of the process that sent it. */
  readonly instance: unknown;
  readonly service: unknown;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** The points of each export. */
  readonly exports: ReceivedPoint[][];
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
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
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    exports,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Fields = ReadonlyMap<number, readonly (bigint | Buffer)[]>;

/** Varints, fixed numbers (as unsigned) and bytes, by field number. */
function fieldsOf(bytes: Buffer): Fields {
  const fields = new Map<number, (bigint | Buffer)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('the message is cut');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    let value: bigint | Buffer;
    switch (tag & 7) {
      case 0:
        value = varint();
        break;
      case 1:
        value = bytes.readBigUInt64LE(at);
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        value = bytes.subarray(at, at + length);
        at += length;
        break;
      }
      case 5:
        value = BigInt(bytes.readUInt32LE(at));
        at += 4;
        break;
      default:
        throw new Error(`wire type ${tag & 7}`);
    }
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Fields, field: number): Fields[] =>
  (fields.get(field) ?? []).map((one) => fieldsOf(one as Buffer));
const bytes = (fields: Fields, field: number): Buffer =>
  (fields.get(field)?.[0] as Buffer | undefined) ?? Buffer.alloc(0);
const text = (fields: Fields, field: number): string => bytes(fields, field).toString('utf8');
const number = (fields: Fields, field: number): bigint => (fields.get(field)?.[0] as bigint | undefined) ?? 0n;

function double(bits: bigint): number {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(bits);
  return buffer.readDoubleLE();
}

function attributesOf(fields: Fields, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(fields, field).map((pair) => {
      const [value] = messages(pair, 2);
      if (value === undefined) return [text(pair, 1), null];
      if (value.has(1)) return [text(pair, 1), text(value, 1)];
      if (value.has(2)) return [text(pair, 1), number(value, 2) === 1n];
      if (value.has(3)) return [text(pair, 1), Number(BigInt.asIntN(64, number(value, 3)))];
      return [text(pair, 1), double(number(value, 4))];
    }),
  );
}

function readSpans(body: Buffer): ReceivedSpan[] {
  const scopes = messages(fieldsOf(body), 1).flatMap((resource) => messages(resource, 2));
  return scopes
    .flatMap((scope) => messages(scope, 2))
    .map((span) => ({
      traceId: bytes(span, 1).toString('hex'),
      spanId: bytes(span, 2).toString('hex'),
      parentId: bytes(span, 4).toString('hex'),
      name: text(span, 5),
      kind: Number(number(span, 6)),
      nanos: number(span, 8) - number(span, 7),
      attributes: attributesOf(span, 9),
      status: Number(messages(span, 15).map((status) => number(status, 3))[0] ?? 0n),
    }));
}

function readPoints(body: Buffer): ReceivedPoint[] {
  return messages(fieldsOf(body), 1).flatMap((sent) => {
    const resource = attributesOf(messages(sent, 1)[0] ?? new Map(), 1);
    const from = { instance: resource['service.instance.id'], service: resource['service.name'] };
    return messages(sent, 2)
      .flatMap((scope) => messages(scope, 2))
      .flatMap((metric) => pointsOf(metric).map((point) => ({ ...point, ...from })));
  });
}

function pointsOf(metric: Fields): Omit<ReceivedPoint, 'instance' | 'service'>[] {
  const named = { metric: text(metric, 1), unit: text(metric, 3) };
  const numbers = (field: number, kind: 'gauge' | 'sum') =>
    messages(metric, field).flatMap((data) =>
      messages(data, 1).map((point) => ({
        ...named,
        kind,
        isMonotonic: number(data, 3) === 1n,
        attributes: attributesOf(point, 7),
        value: point.has(4) ? double(number(point, 4)) : Number(BigInt.asIntN(64, number(point, 6))),
        count: 0,
        buckets: [],
      })),
    );
  const histograms = messages(metric, 9).flatMap((data) =>
    messages(data, 1).map((point) => ({
      ...named,
      kind: 'histogram' as const,
      isMonotonic: true,
      attributes: attributesOf(point, 9),
      value: double(number(point, 5)),
      count: Number(number(point, 4)),
      buckets: packedCounts(bytes(point, 6)),
    })),
  );
  return [...numbers(5, 'gauge'), ...numbers(7, 'sum'), ...histograms];
}

const packedCounts = (packed: Buffer): number[] =>
  Array.from({ length: packed.length / 8 }, (_, at) => Number(packed.readBigUInt64LE(at * 8)));
