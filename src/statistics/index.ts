export { createEventTest, type EventTest, type EventTestOptions } from './always-valid/event-test.ts';
export type { Direction, Evidence } from './always-valid/evidence.ts';
export { createLimitTest, type LimitTest, type LimitTestOptions } from './always-valid/limit-test.ts';
export {
  type AlwaysInterval,
  msprt,
  type MsprtOptions,
  msprtP,
  sequentialRho,
  sequentialTau,
} from './always-valid/msprt.ts';
export { srmChiSquare, srmE, srmLnE, type WeightPhase } from './always-valid/srm.ts';
export {
  type GroupSums,
  stratifiedDifference,
  type StratifiedDifference,
  type Stratum,
} from './always-valid/stratified-difference.ts';
export {
  addGrouped,
  addToGroup,
  copyGroups,
  createGroupTotals,
  type GroupTotals,
  packGroups,
} from './always-valid/group-totals.ts';
export { type GroupedOutcomes, UNIT_GROUPS } from './always-valid/unit-groups.ts';
export { chiSquareAgainst, chiSquareTwoSample } from './drift/chi-square.ts';
export { hellinger, jensenShannon, kl, lInfinity, psi } from './drift/distances.ts';
export {
  type Confusion,
  confusionFigures,
  type ConfusionFigures,
  expectedConfusion,
} from './drift/expected-confusion.ts';
export { type KolmogorovSmirnov, kolmogorovSmirnov } from './drift/kolmogorov-smirnov.ts';
export { daysOwnVariation, type DaysVariation, psiTest } from './drift/psi-test.ts';
export type { Counts } from './drift/shares.ts';
export { wasserstein } from './drift/wasserstein.ts';
export {
  type ArmEstimate,
  meanEstimate,
  type PairSums,
  ratioEstimate,
  type UnitSums,
} from './experiments/arm-estimate.ts';
export {
  alwaysValid,
  type Comparison,
  fixedHorizon,
  type FixedHorizon,
  relativeLift,
  welch,
} from './experiments/compare.ts';
export { cuped, type CupedEstimates } from './experiments/cuped.ts';
export { drawBeta, drawGamma, drawNormal, type Random } from './experiments/draw.ts';
export { benjaminiHochberg, holm } from './experiments/many-tests.ts';
export { type ClusteredValues, quantileEstimate } from './experiments/quantile-estimate.ts';
export { type BanditArm, type BanditOptions, type BanditWeights, topTwoThompson } from './experiments/thompson.ts';
export { winsorise, winsorLimits } from './experiments/winsorise.ts';
export { createHashSample, EXACT_HASHES, type HashSample } from './hash-sample/hash-sample.ts';
export { type PackedHashes, packHashes, unpackHashes } from './hash-sample/pack.ts';
export { chiSquareP, gammaP, gammaQ } from './special/incomplete-gamma.ts';
export { lnGamma } from './special/ln-gamma.ts';
export { normalCdf, normalQuantile, normalTwoSidedP } from './special/normal.ts';
export { studentTQuantile, studentTTwoSidedP } from './special/student-t.ts';
