// What the catalogue says of each error: HTTP status, gRPC status, title, and what to do.

/** Names as in google.rpc.Code. */
export type GrpcStatus =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'DEADLINE_EXCEEDED'
  | 'UNAVAILABLE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL';

export interface CatalogueEntry {
  readonly status: number;
  readonly grpc: GrpcStatus;
  /** The problem's title: a few words, the same each time. */
  readonly title: string;
  /** For the reference page: when it happens and what to do. */
  readonly help: string;
}

export const define = <const T extends Readonly<Record<string, CatalogueEntry>>>(entries: T): T => entries;
