// An arm's schema as it is named and stored: one canonical text, whose hash is its id.

import { canonicalJson, type DataType, type Field, sha256Hex } from '../../core/index.ts';
import type { ArmSchema } from './prediction-log.ts';

export interface NamedSchema {
  /** 16 hexadecimal digits. */
  readonly id: string;
  readonly text: string;
  /** Whether its Parquet files have the columns of routes: those of earlier builds have not. */
  readonly hasRoutes: boolean;
  /** Whether they say which rows the model ran for. */
  readonly hasCached: boolean;
  readonly schema: ArmSchema;
  /** Of the request, the features and the outputs, in this order: how values are told by a number. */
  readonly fields: readonly Field[];
}

/** Since 2 records tell their routes, since 3 whether the model ran for them. */
const FORMAT = 3;

export type Section = 'request' | 'features' | 'outputs';

export const SECTIONS: readonly Section[] = ['request', 'features', 'outputs'];

export function nameSchema(given: ArmSchema): NamedSchema {
  const { endpoint, model, version, variant, arm } = given;
  const schema: ArmSchema = {
    endpoint,
    model,
    version,
    variant,
    arm,
    requestFields: plain(given.requestFields),
    featureFields: plain(given.featureFields),
    outputFields: plain(given.outputFields),
    unitFields: given.unitFields,
  };
  const text = canonicalJson({ ...schema, format: FORMAT });
  return {
    id: sha256Hex(text).slice(0, 16),
    text,
    hasRoutes: true,
    hasCached: true,
    schema,
    fields: SECTIONS.flatMap((section) => fieldsOf(schema, section)),
  };
}

/** Reads what `text` of a named schema says; undefined for what is none, or has another id. */
export function readSchema(id: string, text: string): NamedSchema | undefined {
  if (sha256Hex(text).slice(0, 16) !== id) return undefined;
  try {
    // The hash holds, so it is what `nameSchema` wrote, of a build that may have told less, or more.
    const schema = JSON.parse(text) as Omit<ArmSchema, 'unitFields'> & Partial<ArmSchema> & { format?: number };
    const named = nameSchema({ ...schema, unitFields: schema.unitFields ?? [] });
    const format = schema.format ?? 1;
    return { ...named, id, text, hasRoutes: format >= 2, hasCached: format >= 3 };
  } catch {
    return undefined;
  }
}

export function fieldsOf(schema: ArmSchema, section: Section): readonly Field[] {
  if (section === 'request') return schema.requestFields;
  return section === 'features' ? schema.featureFields : schema.outputFields;
}

// Defaults and whatever else a field carries say nothing of a record.
const plain = (fields: readonly Field[]): Field[] => fields.map(({ name, type }) => ({ name, type: plainType(type) }));

function plainType(type: DataType): DataType {
  if (type.kind === 'list') return { kind: 'list', of: plainType(type.of) };
  return type.kind === 'vector' ? { kind: 'vector', size: type.size } : { kind: type.kind };
}
