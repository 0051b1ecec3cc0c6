// A server that runs, whether in this process or in workers.

export interface RunningServer {
  readonly url: string;
  /** Host and port of gRPC; undefined where it is not served. */
  readonly grpcAddress: string | undefined;
  readonly workers: number;
  /** Graceful. */
  stop(): Promise<void>;
  /** A stop, running or to come, gives balancers no time to notice. */
  hurry(): void;
}
