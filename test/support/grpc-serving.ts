// A server in the tests' process that is asked over gRPC, and its client.

import { type GrpcClient, grpcClient } from './grpc-client.ts';
import { type OpenServing, openServing } from './open-serving.ts';
import { REPOSITORY } from './serving-project.ts';

export interface GrpcServing {
  readonly open: OpenServing;
  readonly client: GrpcClient;
  close(): Promise<void>;
}

/** Left out: the shop's repository. */
export async function openGrpcServing(
  options: Parameters<typeof openServing>[0] = { repository: REPOSITORY, features: 4 },
): Promise<GrpcServing> {
  const open = await openServing({ ...options, serve: { grpcPort: 0 } });
  const client = grpcClient(open.serving.grpcAddress as string);
  return {
    open,
    client,
    async close() {
      client.close();
      await open.close();
    },
  };
}
