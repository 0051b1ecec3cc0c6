// An endpoint compiled for predicting: the columns that its rows carry, and the arms that they go to. Plans never change; a
// change makes a new one, and the old one goes when its last request has ended.

import type { Field, Value } from '../core/index.ts';
import {
  type Definitions,
  type EndpointSpec,
  type ModelSpec,
  type ResolvedService,
  resolveService,
} from '../definitions/index.ts';
import type { EndpointMeter, Monitor, PredictionLog } from '../monitoring/index.ts';
import { type EndpointState, versionsRead } from '../registry/index.ts';
import type { Arm } from './arm.ts';
import { compileArms } from './compile-arms.ts';
import type { FeaturePlan } from './feature-plan.ts';
import { uniteColumns } from './request-columns.ts';
import { compileRowParser, type RequestRow, type RowParser } from './row-parser.ts';
import type { ServedModel, ServedModels } from './served-models.ts';

export interface EndpointPlan {
  readonly state: EndpointState;
  readonly spec: EndpointSpec;
  readonly model: ModelSpec;
  /** What a row carries: the columns of all arms, each once. */
  readonly requestColumns: readonly Field[];
  readonly parseRow: RowParser;
  /** In the order of the traffic's variants. */
  readonly arms: readonly Arm[];
  /** The view versions that its arms read. */
  readonly versions: readonly string[];
  /** The values that stick a row to its arm, as texts, in the order of the spec's unit. */
  unitOf(row: RequestRow): string[];
  readonly meter: EndpointMeter;
  /** `{"endpoint":…,"predictions":[` */
  readonly answerStart: string;
  /** Requests that hold the plan. */
  inFlight: number;
  retire(): Promise<void>;
}

export interface CompileEndpoint {
  readonly state: EndpointState;
  readonly spec: EndpointSpec;
  /** As the applied definitions have it. */
  readonly model: ModelSpec;
  readonly definitions: Definitions;
  /** Whether readers may take a view version. */
  readonly isReadable: (version: string) => boolean;
  readonly planFeatures: (definitions: Definitions, service: ResolvedService) => FeaturePlan;
  readonly models: ServedModels;
  readonly monitor: Monitor;
  readonly predictionLog: PredictionLog;
}

/** Loads every arm's model. Throws what loading throws, with nothing left loaded. */
export async function compileEndpoint(given: CompileEndpoint): Promise<EndpointPlan> {
  const { state, spec, model, definitions, isReadable, models, monitor } = given;
  const served: ServedModel[] = [];
  try {
    for (const { version } of state.variants) served.push(await models.acquire(model, version, isReadable));
    const current = resolveService(definitions.manifest, model.service);
    const requestColumns = uniteColumns(
      served.map(({ service }, at) => ({ service, version: state.variants[at]?.version as number })),
      current,
      spec.unit,
    );
    const plan: EndpointPlan = {
      state,
      spec,
      model,
      requestColumns,
      parseRow: compileRowParser(requestColumns, 'inputs'),
      arms: compileArms(given, served, requestColumns),
      versions: [...new Set(served.flatMap((one) => versionsRead(one.definitions.manifest, one.service.name)))],
      unitOf: compileUnit(spec, requestColumns),
      meter: monitor.endpoint(state.name),
      answerStart: `{"endpoint":${JSON.stringify(state.name)},"predictions":[`,
      inFlight: 0,
      async retire() {
        while (plan.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 20));
        for (const one of served) one.release();
      },
    };
    return plan;
  } catch (thrown) {
    for (const one of served) one.release();
    throw thrown;
  }
}

function compileUnit(spec: EndpointSpec, columns: readonly Field[]): (row: RequestRow) => string[] {
  const positions = spec.unit.map((column) => columns.findIndex(({ name }) => name === column));
  return (row) => positions.map((at) => unitText(row[at] ?? null));
}

// The same text for the same value, whatever type holds it: 7 and 7n are one unit.
function unitText(value: Value): string {
  return value === null
    ? ''
    : typeof value === 'string'
      ? value
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('base64')
        : String(value);
}
