export {
  addNumbers,
  addValue,
  type ColumnSketch,
  createColumnSketch,
  hasNumbers,
  isCountable,
} from './column-sketch.ts';
export { mergeProfiles, type Profile, profileFromJson, profileToJson, summarizeProfile } from './profile.ts';
export type { ColumnSummary, Histogram, Quantiles, TopValue } from './summarize.ts';
