export type { Recorder } from './monitor/recorder.ts';
export { createMonitor, type Monitor } from './monitor/monitor.ts';
export type { MonitorSnapshot } from './monitor/snapshot.ts';
export { openPredictionLog, type PredictionLogOptions } from './prediction-log/open-prediction-log.ts';
export type { OutcomeEntry, PredictionEntry, PredictionLog, PredictionLogCounters } from './prediction-log/prediction-log.ts';
