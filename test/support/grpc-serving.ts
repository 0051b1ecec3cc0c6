// A server that answers gRPC, with a client of it.

import type { ChannelCredentials } from '@grpc/grpc-js';
import { grpcClient } from './grpc-client.ts';
import { openedForAll } from './open-for.ts';
import { openServing } from './open-serving.ts';

type Options = Parameters<typeof openServing>[0];
type GrpcServing = Awaited<ReturnType<typeof openGrpcServing>>;

export async function openGrpcServing(options: Options = {}, channel?: ChannelCredentials) {
  const open = await openServing({ ...options, serve: { grpcPort: 0, ...options.serve } });
  const client = grpcClient(open.serving.grpcAddress as string, channel);
  const close = async (): Promise<void> => {
    client.close();
    await open.close();
  };
  return { open, client, close };
}

/** One for all tests of a file or group, as `openForAll`. */
export const grpcForAll = (
  options?: Options,
  prepare?: (grpc: GrpcServing) => unknown,
  channel?: ChannelCredentials,
): GrpcServing => openedForAll(() => openGrpcServing(options, channel), prepare);
