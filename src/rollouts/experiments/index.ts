export { analyse, type Analysed } from './analysis/analyse.ts';
export {
  type AnalysedExperiment,
  type AnalysedPhase,
  type AnalysedRows,
  metricsOf,
  type SqlValues,
} from './analysis/analysed-experiment.ts';
export type { ExperimentReport } from './report/experiment-report.ts';
export { makeReport } from './report/make-report.ts';
