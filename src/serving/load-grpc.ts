// gRPC, which only those load who serve it.

export function loadGrpc(): Promise<Pick<typeof import('./grpc/create-grpc.ts'), 'createGrpc'>> {
  return import('./grpc/create-grpc.ts');
}
