// Ends everything that a driver ever started here, whether it is gone or its launcher is.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../../core/index.ts';
import { killMarked } from '../../step/marks.ts';
import { sweepMemoryGroups } from '../../step/memory-groups.ts';
import { removeContainers } from '../../step/run-container.ts';

/** The folder of a driver's attempts while they run. */
export function scratchDirectory(workDirectory: string, driver: string): string {
  return join(workDirectory, 'scratch', sha256Hex(driver).slice(0, 16));
}

/** Resolves when nothing of the driver's runs. */
export async function sweepDriver(workDirectory: string, driver: string): Promise<void> {
  await killMarked((mark) => mark.startsWith(`${driver}:`));
  await removeContainers(driver, process.env['PATH']);
  const scratch = scratchDirectory(workDirectory, driver);
  await sweepMemoryGroups(driver, scratch);
  await rm(scratch, { recursive: true, force: true });
}
