export { type Actor, type Role, ROLES } from './actor.ts';
export { counted } from './counted.ts';
export {
  type Clock,
  fixedClock,
  floorTo,
  FIRST_TIME,
  formatTimestamp,
  LAST_TIME,
  type Micros,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  microsOfTime,
  parseTime,
  parseTimestamp,
  secondsOfTime,
  timeOfMicros,
  systemClock,
  TIME_RANGE,
  toDate,
} from './time.ts';
export {
  type DataType,
  type Field,
  fixedWidth,
  isNumeric,
  isPlainNumber,
  type Row,
  sameType,
  typeName,
  type Value,
} from './data-type.ts';
export { absentValueOf } from './absent-value.ts';
export { compareTexts } from './compare-texts.ts';
export { defaultOf } from './default-of.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { decodeKey, type EncodedKey, encodeKey, encodeSingleKey, isKeyType } from './entity-key.ts';
export { type ErrorCode, ERRORS, type GrpcStatus } from './errors.ts';
export {
  addExactly,
  addTotal,
  createTotal,
  exactSum,
  meanOfTotal,
  type ExactTotal,
  roundTotal,
} from './exact-sum.ts';
export { eachFewAtOnce, fewAtOnce } from './few-at-once.ts';
export { conditionAttributes, conditionMistakes } from './condition/check-condition.ts';
export { compileCondition, readPath } from './condition/compile-condition.ts';
export type { Condition } from './condition/condition.ts';
export { contentHash, sha256Hex } from './hash.ts';
export { type ErrorDetail, HeadraceError, toHeadraceError } from './headrace-error.ts';
export { joinErrors, retold } from './joined-error.ts';
export { toldOutside } from './told-outside.ts';
export { ownVersion } from './own-version.ts';
export { canonicalJson, type Json, parseJson, stringifyJson } from './json.ts';
export { withoutKeySecrets } from './key-secrets.ts';
export { createLastUsed, type LastUsed } from './last-used.ts';
export { type Logger, silentLogger } from './logger.ts';
export { messageOf } from './message-of.ts';
export { IS_SOURCE, nodeTypesFolder, PACKAGE_ENTRY } from './package-entry.ts';
export { isProcessAlive, pidSpace } from './process-alive.ts';
export { compareOrder, encodeOrder, type RowPlace } from './order-key.ts';
export { type Progress, silentProgress } from './progress.ts';
export { type KnownRows, knownRows, type RowsVerdict } from './row-dependence.ts';
export { seeded } from './seeded.ts';
export {
  createPredictionIds,
  type NextPredictionId,
  type PredictionFacts,
  type PredictionMark,
  predictionMark,
  readPredictionId,
} from './prediction-id.ts';
export { createRateLimit, type RateLimit } from './rate-limit.ts';
export { checkRowLimit } from './row-limit.ts';
export {
  cancelled,
  type Connection,
  createScope,
  deadlinePassed,
  type Priority,
  type Scope,
  type ScopeFacts,
  type Span,
} from './scope.ts';
export { syncPath } from './sync-path.ts';
export { didYouMean, didYouMeanOf, nearestName } from './suggest.ts';
export { providersMistake, readProvider } from './execution-providers.ts';
export { MOST_MISTAKES, noteMistake } from './input-mistakes.ts';
export { reportUnknownMembers } from './unknown-members.ts';
export {
  compareValues,
  describe,
  describeMistake,
  type Int64Form,
  INVALID,
  toFloat32,
  invalid,
  compileRowReader,
  parseRow,
  parseRows,
  parseSent,
  parseValue,
  toJson,
} from './value.ts';
export { within } from './within.ts';
