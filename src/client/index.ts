// What `import … from 'headrace/client'` gives: a client for services, by fetch alone.

export type { Api, ColumnTypes, EndpointApi, ServiceApi, SourceApi } from './api.ts';
export type {
  EndpointState,
  FailedRow,
  FeatureColumns,
  FeatureRow,
  FeatureStatus,
  Flag,
  FlagContext,
  Health,
  Outcome,
  Prediction,
  PredictionOf,
  PredictRow,
  PushResult,
  PushRow,
  ReadRow,
  SeenFeatures,
  Variant,
} from './answers.ts';
export { type ClientCode, HeadraceClientError, type Mistake } from './client-error.ts';
export type { AnswerForm, Int64Form } from './column-values.ts';
export { type Client, createClient } from './create-client.ts';
export type { CallOptions, ClientOptions, PredictOptions, PushOptions } from './options.ts';
export type { ApiOf } from './repository-api.ts';
