// The package's entry, what `import … from 'headrace'` gives: the authoring API.

export {
  type ColumnType, count, countDistinct, csv, defineConfig, endpoint, entity, featureService, featureView, first, grid,
  type HeadraceConfig, iceberg, last, lastN, latest, max, mean, min, model, mysql, onDemandView, parquet, pipeline,
  postgres, pushed, python, range, registerModel, type RowOf, snowflake, sql, stddev, sum, t, task, type TaskContext,
  trainingSet, type ValueOf, variance,
} from './definitions/index.ts';
export type {
  Endpoint, Entity, Feature, FeatureService, FeatureView, Model, OnDemandView, Pipeline, Source, Step,
} from './definitions/index.ts';
