// Ends everything that a driver ever started here, whether it is gone or its launcher is.

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../../core/index.ts';
import { hasDiedHere } from '../../lease.ts';
import { driverOfMark, killMarked, processesByMark } from '../../step/marks.ts';
import { groupedProcesses, sweepMemoryGroups } from '../../step/memory-groups.ts';
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

/**
 * Ends what any of these drivers left here, and gives how many processes that were. Those that left nothing cost one look over all
 * processes together.
 */
export async function sweepDrivers(workDirectory: string, drivers: readonly string[]): Promise<number> {
  if (drivers.length === 0) return 0;
  const found = new Map<string, Set<number>>();
  for (const driver of drivers)
    found.set(driver, new Set(groupedProcesses(driver, scratchDirectory(workDirectory, driver))));
  for (const [mark, pids] of processesByMark()) for (const pid of pids) found.get(driverOfMark(mark))?.add(pid);
  let ended = 0;
  for (const [driver, pids] of found) {
    if (pids.size === 0 && !existsSync(scratchDirectory(workDirectory, driver))) continue;
    ended += pids.size;
    await sweepDriver(workDirectory, driver);
  }
  return ended;
}

/**
 * Ends what drivers of this project that died on this host have left: a launcher that stands still does not do it itself. Other projects'
 * are left to them.
 */
export async function sweepDeadDrivers(workDirectory: string): Promise<void> {
  const drivers = new Set([...processesByMark().keys()].map(driverOfMark));
  for (const driver of drivers) {
    const isOfProject = existsSync(scratchDirectory(workDirectory, driver));
    if (isOfProject && hasDiedHere(driver)) await sweepDriver(workDirectory, driver);
  }
}
