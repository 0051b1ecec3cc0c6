// A client of other people's making, @grpc/grpc-js, over our own .proto files: any method of any of their services.

import { fileURLToPath } from 'node:url';
import { Client, type ClientDuplexStream, type ClientOptions, credentials, Metadata } from '@grpc/grpc-js';
import type { ChannelCredentials, ServiceError, StatusObject } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition, type PackageDefinition } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const FILES = ['headrace/v1/serving', 'grpc/health/v1/health', 'grpc/reflection/v1/reflection'];
const MORE = ['grpc/reflection/v1alpha/reflection', 'inference/grpc_service'];

const loaded: PackageDefinition = loadSync(
  [...FILES, ...MORE].map((name) => `${name}.proto`),
  { includeDirs: [PROTO], keepCase: true, longs: String, enums: String, oneofs: true },
);

interface Called {
  readonly answer: unknown;
  readonly metadata: Metadata;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Told as soon as the call is under way. */
  readonly onCall?: (call: { cancel(): void }) => void;
}

export type GrpcClient = ReturnType<typeof grpcClient>;

/** `address` is host:port. */
export function grpcClient(
  address: string,
  channel: ChannelCredentials = credentials.createInsecure(),
  options: ClientOptions = {},
) {
  // Others of the same address would share its connection.
  const client = new Client(address, channel, { 'grpc.use_local_subchannel_pool': 1, ...options });
  const limit = (timeoutMs: number | undefined) =>
    timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
  const unary = <Message>(
    method: string,
    serialize: (message: Message) => Buffer,
    message: Message,
    { headers = {}, timeoutMs, onCall }: CallOptions = {},
  ): Promise<Called> =>
    new Promise((resolve, reject) => {
      let metadata = new Metadata();
      const { responseDeserialize } = methodOf(method);
      const ended = (error: ServiceError | null, answer?: unknown) =>
        error === null ? resolve({ answer, metadata }) : reject(error);
      const sent = [metadataOf(headers), limit(timeoutMs), ended] as const;
      const call = client.makeUnaryRequest(method, serialize, responseDeserialize, message, ...sent);
      call.on('metadata', (given: Metadata) => (metadata = given));
      onCall?.(call);
    });
  return {
    client,
    /** Rejects with the call's ServiceError. */
    call: (method: string, message: object, options?: CallOptions) =>
      unary(method, methodOf(method).requestSerialize, message, options),
    /** Bytes in the place of a message. */
    raw: (method: string, message: Buffer, options?: CallOptions) =>
      unary(method, (bytes: Buffer) => bytes, message, options),
    stream(method: string, { headers = {}, timeoutMs }: CallOptions = {}) {
      const { requestSerialize, responseDeserialize } = methodOf(method);
      const sent = [metadataOf(headers), limit(timeoutMs)] as const;
      return client.makeBidiStreamRequest(method, requestSerialize, responseDeserialize, ...sent);
    },
    close: () => client.close(),
  };
}

/** Every message of the stream, and how it ended. */
export async function allOf(
  stream: ClientDuplexStream<object, object>,
): Promise<{ readonly messages: unknown[]; readonly status: StatusObject }> {
  const messages: unknown[] = [];
  stream.on('data', (message: unknown) => messages.push(message));
  stream.on('error', () => {});
  const status = await new Promise<StatusObject>((resolve) => stream.once('status', resolve));
  return { messages, status };
}

function methodOf(path: string): MethodDefinition<object, object> {
  const [, service = '', name = ''] = path.split('/');
  const definition = loaded[service] as Readonly<Record<string, MethodDefinition<object, object>>> | undefined;
  const method = definition?.[name];
  if (method === undefined) throw new Error(`the .proto files have no ${path}`);
  return method;
}

function metadataOf(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}
