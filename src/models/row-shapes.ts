// The sizes of one row of each of a model's inputs.

import type { Signature } from './tensor.ts';
import { elementBytes } from './tensor-arrays.ts';

/** A row's sizes of each input, in the signature's order. */
export type RowShapes = readonly (readonly number[])[];

/** The signature's own; a size that it leaves open counts as 1. */
export function rowShapesOf(signature: Signature): RowShapes {
  return signature.inputs.map(({ shape }) => shape.slice(1).map((size) => size ?? 1));
}

/** Elements of a row. */
export function widthOf(rowShape: readonly number[] | undefined): number {
  return (rowShape ?? []).reduce((product, size) => product * size, 1);
}

/** Bytes of a row in all inputs; texts, which lie elsewhere, count nothing. */
export function rowBytes(signature: Signature, rowShapes: RowShapes): number {
  return signature.inputs.reduce((sum, { type }, at) => sum + widthOf(rowShapes[at]) * elementBytes(type), 0);
}
