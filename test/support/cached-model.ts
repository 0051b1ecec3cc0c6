// A model behind a cache, whose runs end when a test says so: it answers each row with its version and what its tensors took.

import type { Field, HeadraceError, Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import { arrayOf, type BatchInput, compileBinding, elementBytes } from '../../src/models/index.ts';
import type { ModelWork, Signature } from '../../src/models/index.ts';
import type { FeatureRow } from '../../src/serving/feature-plan.ts';
import type { RowCache } from '../../src/serving/response-cache/infer-cached.ts';
import type { ArmCache } from '../../src/serving/response-cache/response-caches.ts';
import type { ServedModel } from '../../src/serving/served-models.ts';

const FIELDS: readonly Field[] = [
  { name: 'a', type: { kind: 'float32' } },
  { name: 'b', type: { kind: 'float64' } },
  { name: 'n', type: { kind: 'int64' }, default: 7 },
  { name: 's', type: { kind: 'string' }, default: '' },
];
const SIGNATURE: Signature = {
  inputs: FIELDS.map(({ name, type }) => ({ name, type: type.kind as 'float32', shape: [null] })),
  outputs: [{ name: 'told', type: 'string', shape: [null] }],
};
const OUTPUTS = [{ name: 'told', type: { kind: 'string' as const } }];
const SPEC: ModelSpec = { name: 'm', service: 's', outputs: OUTPUTS, providers: ['cpu'] };
const FEATURES = FIELDS.map((field) => ({ ...field, from: { kind: 'read' as const, read: 0, feature: 0 } }));
const SERVICE: ResolvedService = { name: 's', requestColumns: [], reads: [], onDemand: [], features: FEATURES };

/** Works that were submitted and not told yet, in their order. */
export interface HeldWork {
  readonly work: ModelWork;
  readonly answers: readonly string[];
  succeed(): void;
  fail(error: HeadraceError): void;
}

export type CachedModel = ReturnType<typeof createCachedModel>;

/** `isHeld`: runs wait for the test; else they end in the next turn. */
export function createCachedModel({ version = 1, isHeld = true, mixesRows = false }) {
  const held: HeldWork[] = [];
  const ran: string[] = [];
  const binding = compileBinding(SIGNATURE, SERVICE, SPEC);
  const submit = (work: ModelWork): void => {
    const inputs: BatchInput[] = SIGNATURE.inputs.map(({ type }) => ({ width: 1, data: arrayOf(type, work.count) }));
    for (let row = 0; row < work.count; row++) work.bind(row, inputs, row);
    const told = (row: number): string => inputs.map(({ data }, at) => shown(data[row], at)).join(' ');
    const answers = Array.from({ length: work.count }, (_, row) => `${version}: ${told(row)}`);
    ran.push(...answers);
    const succeed = (): void => work.done([{ type: 'string', shape: [work.count], data: answers }], 0, 0);
    if (isHeld) held.push({ work, answers, succeed, fail: (error) => work.failed(error) });
    else setImmediate(succeed);
  };
  return {
    model: { loaded: { submit, mixesRows }, binding, readsBehind: [] } as unknown as ServedModel,
    held,
    /** Answers of all rows that ran, in the order of their runs. */
    ran,
    cacheOf: (cache: ArmCache): RowCache => ({ cache, keyOf: (binding.compileKey as () => RowCache['keyOf'])() }),
  };
}

/** Bit by bit. */
function shown(value: number | bigint | string | undefined, at: number): string {
  if (typeof value !== 'number') return JSON.stringify(String(value));
  const bytes = elementBytes(SIGNATURE.inputs[at]?.type ?? 'float64');
  return Buffer.from(bytes === 4 ? Float32Array.of(value).buffer : Float64Array.of(value).buffer).toString('hex');
}

export const rowOf = (...values: readonly Value[]): FeatureRow => {
  const statuses = values.map(() => 'PRESENT' as const);
  return { values, statuses, reads: [] };
};
