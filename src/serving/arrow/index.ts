// The translation from and to Arrow, loaded when the first request wants it.

export { readArrowRows } from './sent-columns.ts';
export { type FeatureColumns, writeFeatures } from './write-features.ts';
export { writePredictions } from './write-predictions.ts';
