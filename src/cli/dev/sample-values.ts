// One key's features as a service answers them: what `dev` shows before and after a change.

import type { App } from '../../app/index.ts';
import { stringifyJson } from '../../core/index.ts';
import { type Definitions, mayLack, type ResolvedService, resolveService } from '../../definitions/index.ts';

/** A request's columns and values, as JSON. */
export type SampleRow = Readonly<Record<string, unknown>>;

export interface SampledValue {
  /** As plain JSON data. */
  readonly value: unknown;
  readonly status: string;
}

/** By full feature name, in the service's order. */
export type SampledValues = Readonly<Record<string, SampledValue>>;

export interface SampledFeature {
  readonly name: string;
  /** Null where the service had no such feature, or nothing could be read. */
  readonly before: SampledValue | null;
  /** Null where it has none any more. */
  readonly after: SampledValue | null;
  readonly changed: boolean;
}

/** Reads a row's features. Throws HR_INVALID for a row that does not fit, and what the store throws. */
export async function readSample(
  app: App,
  definitions: Definitions,
  service: string,
  row: SampleRow,
): Promise<SampledValues> {
  const [values = {}] = await readSamples(app, definitions, resolveService(definitions.manifest, service), [row]);
  return values;
}

/** Of either side, in the order of what there is now. */
export function compareSamples(before: SampledValues | undefined, after: SampledValues | undefined): SampledFeature[] {
  const names = new Set([...Object.keys(after ?? {}), ...Object.keys(before ?? {})]);
  return [...names].map((name) => {
    const [was, is] = [before?.[name] ?? null, after?.[name] ?? null];
    // Where nothing was known there is nothing that could have changed.
    const changed = before !== undefined && stringifyJson(was) !== stringifyJson(is);
    return { name, before: was, after: is, changed };
  });
}

/** The same of several rows, in their order. */
export async function readSamples(
  app: App,
  definitions: Definitions,
  service: ResolvedService,
  rows: readonly SampleRow[],
): Promise<SampledValues[]> {
  const { compileFeaturePlan, readFeatureRows } = await import('../../serving/index.ts');
  // A key that was found in the store knows nothing of what requests carry besides.
  const requestColumns = service.requestColumns.map((column) =>
    mayLack(column) ? column : ({ ...column, isOptional: true } as const),
  );
  const asked = { ...service, requestColumns };
  const plan = compileFeaturePlan(definitions, asked, await app.online(), await app.directory(), 'rows');
  const answers = await readFeatureRows(plan, rows, app.clock.nowMicros(), { maxRows: rows.length });
  return answers.map(({ features, statuses }) =>
    Object.fromEntries(
      Object.entries(features).map(([name, value]) => [name, { value, status: statuses[name] ?? 'PRESENT' }]),
    ),
  );
}
