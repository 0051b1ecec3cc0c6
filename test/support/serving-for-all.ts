// One server for all tests of a file or of a `describe`: opened before them, closed after.

import type { ChannelCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll } from 'vitest';
import { grpcClient } from './grpc-client.ts';
import { type OpenServing, openServing } from './open-serving.ts';

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

/** Not to be used before the tests' own hooks. `then` is what else is to be done before the tests. */
export const servingForAll = (options?: Options, then?: (open: OpenServing) => unknown): OpenServing =>
  forAll(() => openServing(options), then);

export const grpcForAll = (
  options?: Options,
  then?: (grpc: GrpcServing) => unknown,
  channel?: ChannelCredentials,
): GrpcServing => forAll(() => openGrpcServing(options, channel), then);

function forAll<Opened extends { close(): Promise<void> }>(
  open: () => Promise<Opened>,
  then: (opened: Opened) => unknown = () => {},
): Opened {
  let opened: Opened | undefined;
  beforeAll(async () => {
    opened = await open();
    await then(opened);
  }, 120_000);
  afterAll(() => opened?.close());
  return new Proxy({} as Opened, { get: (_, name) => opened?.[name as keyof Opened] });
}
