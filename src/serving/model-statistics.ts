// What the models behind the endpoints have counted, by model version: one that several endpoints serve is told of once.

import type { LoadedModel } from '../models/index.ts';
import type { ModelStatistics } from '../monitoring/index.ts';
import type { EndpointSlot } from './endpoint-loads.ts';

export function modelStatistics(slots: readonly Pick<EndpointSlot, 'plan'>[]): readonly ModelStatistics[] {
  const told = new Map<LoadedModel, ModelStatistics>();
  for (const { plan } of slots) {
    for (const { graph, version } of plan?.arms ?? []) {
      const { loaded } = graph.model;
      if (told.has(loaded)) continue;
      const { runs, rows, failures, refused, queuedRows } = loaded.statistics();
      const counted = { runs, rows, failures, refused: { ...refused }, queuedRows };
      told.set(loaded, { model: plan?.model.name ?? '', version, ...counted, memoryBytes: loaded.memoryBytes });
    }
  }
  return [...told.values()];
}
