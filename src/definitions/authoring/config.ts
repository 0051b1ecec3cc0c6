// The shape of headrace.config.ts. Reading and checking it is the application's job.

export interface HeadraceConfig {
  /** Names everything this installation stores; lower-case letters, digits, `_` and `-`. */
  readonly project: string;
  /** Folder of the feature repository. Relative paths here are relative to the configuration file. */
  readonly repo?: string;
  readonly registry?: {
    /** `sqlite:PATH` or `postgres://…` */
    readonly url: string;
  };
  readonly online?: {
    /** `lmdb:PATH`, `redis://…`, `rediss://…` or `redis+cluster://a,b,c` */
    readonly url: string;
  };
  readonly offline?: {
    readonly engine?: 'duckdb';
    /** Folder for training sets and spilled data. */
    readonly path?: string;
    /** Bound of the engine's memory: `4GB`. */
    readonly memory?: string;
  };
  readonly artifacts?: {
    /** `file:PATH` or `s3://bucket/prefix` */
    readonly url: string;
  };
  readonly server?: {
    readonly host?: string;
    readonly port?: number;
    readonly grpcPort?: number;
    readonly workers?: number;
  };
}

/** Gives the configuration back as it is: it is there for the editor to check it. */
export function defineConfig(config: HeadraceConfig): HeadraceConfig {
  return config;
}
