// Endpoints as models of the protocol: asked by request columns, split by their traffic, a version by the variant that has it.

import type { Scope } from '../../core/index.ts';
import type { LoadedModel } from '../../models/index.ts';
import type { Arm } from '../arm.ts';
import type { ListedEndpoint } from '../catalogue.ts';
import type { DataPlane } from '../data-plane.ts';
import type { EndpointPlan } from '../endpoint-plan.ts';
import type { Snapshots } from '../open-snapshots.ts';
import type { PredictAnswer } from '../predict.ts';
import { outputsOf, PREDICTION_ID } from './endpoint-outputs.ts';
import { rowsOf, tensorOfField } from './endpoint-rows.ts';
import type { IndexedModel, InferAnswer, InferRequest, ModelMetadata } from './inference-plane.ts';
import { refuseOtherOutputs } from './request-rules.ts';
import { unknownModel } from './unknown-model.ts';

export interface EndpointModels {
  /** Names are those of endpoints that there are. Throws HR_UNKNOWN_MODEL for a version that has no traffic. */
  isReady(name: string, version: string | undefined): boolean;
  metadata(name: string, version: string | undefined): ModelMetadata;
  infer(name: string, version: string | undefined, asked: InferRequest, scope: Scope): Promise<InferAnswer>;
  index(): readonly IndexedModel[];
  /** The version that a request is for: the one that it names, or the only one that has traffic. Undefined for any other. */
  versionAsked(name: string, version: string | undefined): string | undefined;
  /** Versions with the models that are in memory for them. */
  loaded(
    name: string,
    version: string | undefined,
  ): readonly { readonly version: string; readonly model: LoadedModel }[];
  /** Of a model's name: which endpoints serve it, as a sentence; empty where none does. */
  servedElsewhere(model: string): string;
}

/** `mostRows`: of one request. */
export function createEndpointModels(
  snapshots: Snapshots,
  data: Pick<DataPlane, 'predict' | 'refused'>,
  mostRows: number,
): EndpointModels {
  /** None while nothing is applied. */
  const plans = (): readonly EndpointPlan[] => (snapshots.isLoaded() ? snapshots.plans() : []);

  const planOf = (name: string): EndpointPlan | undefined => plans().find(({ state }) => state.name === name);

  const armsOf = (name: string): readonly Arm[] => planOf(name)?.arms ?? [];

  /** The arm of a version. Throws HR_UNKNOWN_MODEL. */
  const armOf = (name: string, version: string): Arm => {
    const arms = armsOf(name);
    const arm = arms.find((one) => String(one.version) === version);
    if (arm !== undefined) return arm;
    const versions = versionsOf(arms);
    const rest = versions.length === 0 ? ' None has traffic.' : ` Those with traffic: ${versions.join(', ')}.`;
    throw unknownModel(name, version, rest);
  };

  const listed = (name: string): ListedEndpoint => {
    const { endpoints } = snapshots.catalogue();
    const found = endpoints.find((endpoint) => endpoint.name === name);
    if (found === undefined) throw unknownModel(name, undefined, '');
    return found;
  };

  /** What the endpoint's prediction takes; what is refused here counts as the endpoint's. */
  const prepare = (
    name: string,
    version: string | undefined,
    { inputs, outputs }: InferRequest,
  ): { readonly rows: readonly object[]; readonly forced: string | undefined } => {
    try {
      const arm = version === undefined ? undefined : armOf(name, version);
      const { requestColumns, arms } = snapshots.endpoint(name);
      if (outputs !== undefined) {
        const known = new Set([...listed(name).outputs.map((output) => output.name), PREDICTION_ID]);
        refuseOtherOutputs(outputs, known, `endpoint "${name}"`);
      }
      // With one variant alone its version is what every request gets.
      return { rows: rowsOf(inputs, requestColumns, mostRows), forced: arms.length > 1 ? arm?.name : undefined };
    } catch (thrown) {
      data.refused(name, thrown);
      throw thrown;
    }
  };

  return {
    isReady: (name, version) => (version === undefined ? armsOf(name).length > 0 : armOf(name, version) !== undefined),
    metadata(name, version) {
      if (version !== undefined) armOf(name, version);
      const { request, outputs } = listed(name);
      return {
        name,
        versions: version === undefined ? versionsOf(armsOf(name)) : [version],
        platform: 'headrace_endpoint',
        inputs: request.map((column) => ({
          ...tensorOfField(column),
          ...(column.isRequired ? {} : { isOptional: true as const }),
        })),
        outputs: [
          ...outputs.flatMap(({ name: output, types: [type] }) =>
            type === undefined ? [] : [tensorOfField({ name: output, type })],
          ),
          { name: PREDICTION_ID, datatype: 'BYTES', shape: [-1] },
        ],
      };
    },
    async infer(name, version, asked, scope) {
      const { rows, forced } = prepare(name, version, asked);
      const answer = await data.predict(name, rows, { isPartial: false, forced }, scope);
      return { version: versionOf(answer), outputs: outputsOf(answer, asked.outputs) };
    },
    index: () =>
      plans().flatMap(({ state: { name }, arms }) =>
        versionsOf(arms).map((version): IndexedModel => ({ name, version, state: 'READY', reason: '' })),
      ),
    versionAsked(name, version) {
      const versions = versionsOf(armsOf(name));
      if (version !== undefined) return versions.find((own) => own === version);
      return versions.length === 1 ? versions[0] : undefined;
    },
    loaded(name, version) {
      const arms = version === undefined ? armsOf(name) : [armOf(name, version)];
      const models = new Map(arms.map((arm) => [String(arm.version), arm.graph.model.loaded]));
      return Array.from(models, ([own, model]) => ({ version: own, model }));
    },
    servedElsewhere(model) {
      const names = plans().flatMap(({ state }) => (state.model === model ? [state.name] : []));
      return names.length === 0 ? '' : ` That model is served by the name of its endpoint: ${names.join(', ')}.`;
    },
  };
}

function versionsOf(arms: readonly Arm[]): string[] {
  return [...new Set(arms.map(({ version }) => String(version)))];
}

function versionOf({ rows }: PredictAnswer): string | undefined {
  const versions = new Set(rows.flatMap((row) => (row.error === undefined ? [row.arm.version] : [])));
  const [only] = versions;
  return versions.size === 1 ? String(only) : undefined;
}
