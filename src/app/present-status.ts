// This process's own part of `GET /v1/status`: what it ingests, and the models that it has in memory.

import type { IngestionStatus } from '../ingestion/index.ts';
import type { RepositoryStatistics } from '../models/index.ts';

/** As plain JSON data, with the API's names. */
export function presentIngestion({ writer, settled }: IngestionStatus): object {
  if (writer === null) return { writer, settled };
  const { partBytes, storeFailure, shipFailure, ...others } = writer;
  return {
    writer: { ...others, part_bytes: partBytes, store_failure: storeFailure, ship_failure: shipFailure },
    settled,
  };
}

/** The same. What each has counted is in the metrics, by version. */
export function presentModels({
  memoryBytes,
  limitBytes,
  failedLoads,
  models,
  ...others
}: RepositoryStatistics): object {
  return {
    memory_bytes: memoryBytes,
    limit_bytes: limitBytes,
    ...others,
    failed_loads: failedLoads,
    loaded: models.map(
      ({ id, state, holders, providers, placement = null, nodesByProvider, mixesRows, memoryBytes: bytes }) => ({
        artifact: id,
        state,
        holders,
        placement,
        providers,
        nodes_by_provider: nodesByProvider ?? null,
        shares_runs: mixesRows === undefined ? null : !mixesRows,
        memory_bytes: bytes,
      }),
    ),
  };
}
