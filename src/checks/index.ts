export { broken, describeFinding, type Finding, suchAs, throwIfRefused } from './finding.ts';
export { collectQuarantine } from './quarantine/collect-quarantine.ts';
export {
  type HeldRow,
  openQuarantine,
  type Quarantine,
  type Reason,
  RELEASE,
  type ReleaseBatch,
  takeUpRelease,
} from './quarantine/quarantine.ts';
export { addReleases, loadReleases, type NewRelease, NOTHING_RELEASED, type Releases } from './quarantine/releases.ts';
export { migrateQuarantine } from './quarantine/tables.ts';
export { breach, brokenBy, type BrokenRule, compileValueChecks, type ValueCheck } from './value-checks.ts';
