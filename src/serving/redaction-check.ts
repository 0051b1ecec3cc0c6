// Whether the names that the log is to redact are columns of an endpoint: one that is none, a slip, would redact nothing in
// silence.

import { didYouMean, type Logger } from '../core/index.ts';
import { resolveService } from '../definitions/index.ts';
import { type EndpointColumns, redactableNames } from '../monitoring/index.ts';
import type { EndpointSlot } from './endpoint-loads.ts';
import type { Snapshot } from './snapshot.ts';

export interface RedactionCheck {
  /** Warns of each name once, for as long as no endpoint has it. Waits until nothing is being loaded. */
  look(snapshot: Snapshot | undefined): void;
}

/** `redact`: as the prediction log is given it. */
export function createRedactionCheck(redact: readonly string[], logger: Logger): RedactionCheck {
  let seen: Snapshot | undefined;
  let unknown: readonly string[] = [];
  return {
    look(snapshot) {
      if (redact.length === 0 || snapshot === undefined || snapshot === seen) return;
      if ([...snapshot.endpoints.values()].some(isLoading)) return;
      seen = snapshot;
      const known = redactableNames(endpointColumns(snapshot));
      const before = unknown;
      unknown = redact.filter((name) => !known.has(name));
      for (const name of unknown) {
        if (before.includes(name)) continue;
        const message = `predictionLog.redact names "${name}", which is a column of no endpoint: nothing is redacted by it.`;
        logger.warn({ redact: name }, `${message}${didYouMean(name, known)}`);
      }
    },
  };
}

const isLoading = ({ isCurrent, failure }: EndpointSlot): boolean => !isCurrent && failure === undefined;

/** By what is applied, and by what each version that is served was trained with. */
function endpointColumns({ definitions, endpoints }: Snapshot): readonly EndpointColumns[] {
  const { manifest } = definitions;
  return Object.values(manifest.endpoints).map(({ name, model, unit }) => {
    const applied = manifest.models[model];
    const service = applied === undefined ? undefined : resolveService(manifest, applied.service);
    const plan = endpoints.get(name)?.plan;
    const fields = [
      ...(service?.requestColumns ?? []),
      ...(service?.features ?? []),
      ...(applied?.outputs ?? []),
      ...(plan?.requestColumns ?? []),
      ...(plan?.arms ?? []).flatMap((arm) => [...arm.features.service.features, ...arm.graph.model.spec.outputs]),
      ...(plan?.shadows.arms ?? []).flatMap((shadow) => [...shadow.features.service.features, ...shadow.outputs]),
    ];
    return { endpoint: name, columns: [...unit, ...fields.map((field) => field.name)] };
  });
}
