export { type Controller, type ControllerDeps, createController } from './controller/controller.ts';
export type { RolloutNews } from './controller/tell-events.ts';
export type { ArmMinute, MaturedOutcomes, RolloutEvidence } from './controller/arm-minute.ts';
export {
  etagOf as rolloutEtag,
  openRollouts,
  type Rollouts,
  type ShownRollout,
  type Verb,
} from './controller/operate.ts';
export type { Operator, StartRollout } from './controller/start-rollout.ts';
export { presentRollout, type RolloutStatus } from './controller/present.ts';
export { describeRollout, describeStep } from './controller/describe.ts';
export { readAsked } from './controller/read-asked.ts';
export { countsSentOutcomes } from './controller/plan.ts';
export type { Rollout, RolloutState } from './controller/rollout.ts';
export { migrateRollouts, rolloutRows } from './controller/tables.ts';
export { bucketOf, bucketOfHash, fnv1a } from './fnv.ts';
export { endpointFeature, experimentFeature, type GrowthBookFeature, unitAttribute } from './growthbook-feature.ts';
export {
  compileRoutes,
  routeColumns,
  type Route,
  type RoutedArm,
  routedArms,
  type RoutedSpec,
  type RoutedTraffic,
  type Routes,
  type Via,
} from './route.ts';
export { isShadowed } from './shadowed.ts';
export { analyse, type Analysed } from './experiments/analysis/analyse.ts';
export {
  type AnalysedExperiment,
  type AnalysedPhase,
  type AnalysedRows,
  metricsOf,
  type SqlValues,
} from './experiments/analysis/analysed-experiment.ts';
export { weightOf } from './experiments/live/arm-ranges.ts';
export {
  type ExperimentChange,
  type Experiments,
  type ExperimentState,
  openExperiments,
} from './experiments/live/open-experiments.ts';
export { openPhase, type Phase, unknownExperiment } from './experiments/live/phases.ts';
export { experimentRows, migrateExperiments } from './experiments/live/tables.ts';
export type { ExperimentReport } from './experiments/report/experiment-report.ts';
export { makeReport } from './experiments/report/make-report.ts';
export { compileUnitText, type UnitText } from './unit-text.ts';
export { presentExperiment, type PresentedExperiment } from './experiments/live/present-experiment.ts';
export { reportHtml } from './experiments/html/report-html.ts';
export { reportText } from './experiments/report/report-text.ts';
export { type BanditDecision, banditWeights } from './experiments/report/bandit-weights.ts';
export { attributes, escape, svg, svgLine, svgText, table } from './experiments/html/markup.ts';
export { scale } from './experiments/html/scale.ts';
export { htmlPage } from './experiments/html/page.ts';
export { show, signed, whole } from './experiments/report/figures.ts';
