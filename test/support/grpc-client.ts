// A client of other people's making, @grpc/grpc-js, over our own .proto files: any method of any of their services.

import { fileURLToPath } from 'node:url';
import {
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  type ChannelCredentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync, type MethodDefinition, type PackageDefinition } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const FILES = [
  'headrace/v1/serving.proto',
  'grpc/health/v1/health.proto',
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
  'inference/grpc_service.proto',
];

const loaded: PackageDefinition = loadSync(FILES, {
  includeDirs: [PROTO],
  keepCase: true,
  longs: String,
  enums: String,
  oneofs: true,
});

export interface Called {
  readonly answer: unknown;
  readonly metadata: Metadata;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Told as soon as the call is under way. */
  readonly onCall?: (call: { cancel(): void }) => void;
}

export interface GrpcClient {
  readonly client: Client;
  /** Rejects with the call's ServiceError. */
  call(method: string, message: object, options?: CallOptions): Promise<Called>;
  /** Bytes in the place of a message. */
  raw(method: string, message: Buffer, options?: CallOptions): Promise<Called>;
  stream(method: string, options?: CallOptions): ClientDuplexStream<object, object>;
  close(): void;
}

/** `address` is host:port. */
export function grpcClient(
  address: string,
  channel: ChannelCredentials = credentials.createInsecure(),
  options: ClientOptions = {},
): GrpcClient {
  // Others of the same address would share its connection.
  const client = new Client(address, channel, { 'grpc.use_local_subchannel_pool': 1, ...options });
  const unary = (
    method: string,
    serialize: (message: never) => Buffer,
    message: unknown,
    { headers = {}, timeoutMs, onCall }: CallOptions = {},
  ): Promise<Called> =>
    new Promise((resolve, reject) => {
      let metadata = new Metadata();
      const call = client.makeUnaryRequest(
        method,
        serialize as (message: unknown) => Buffer,
        methodOf(method)?.responseDeserialize ?? ((bytes: Buffer) => bytes),
        message,
        metadataOf(headers),
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
        (error: ServiceError | null, answer?: unknown) => {
          if (error === null) resolve({ answer, metadata });
          else reject(error);
        },
      );
      call.on('metadata', (sent: Metadata) => (metadata = sent));
      onCall?.(call);
    });
  return {
    client,
    call: (method, message, options) => unary(method, methodOf(method).requestSerialize as never, message, options),
    raw: (method, message, options) => unary(method, (bytes: Buffer) => bytes, message, options),
    stream(method, { headers = {}, timeoutMs } = {}) {
      const { requestSerialize, responseDeserialize } = methodOf(method);
      return client.makeBidiStreamRequest(
        method,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => object,
        metadataOf(headers),
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
      );
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
