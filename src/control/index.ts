export { viewMetrics } from './view-metrics.ts';
export {
  type Aged,
  type LastRun,
  viewStatuses,
  type ViewStatus,
  type ViewStatusDeps,
  type WriterCoverage,
} from './view-status.ts';
