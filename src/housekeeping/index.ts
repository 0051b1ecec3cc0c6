export type { BackedUpExtra, BackupManifest } from './backup/backup-manifest.ts';
export { type BackupDeps, createBackup, type ExtraFile } from './backup/create-backup.ts';
export { restoreBackup, type Restored, type RestoreDeps } from './backup/restore-backup.ts';
export { type CollectedItem, collectGarbage, type GarbageDeps, type GarbageReport } from './gc/collect-garbage.ts';
export { migrateHousekeeping } from './gc/removal-table.ts';
