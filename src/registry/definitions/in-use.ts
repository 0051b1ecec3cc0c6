// What the registry knows beyond the definitions, and a change could break.

export interface InUse {
  readonly endpointsWithTraffic: ReadonlySet<string>;
  /** Number of versions by model. */
  readonly modelVersions: ReadonlyMap<string, number>;
}
