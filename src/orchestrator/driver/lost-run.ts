import { HeadraceError } from '../../core/index.ts';

/** What a driver ends with whose run another has. */
export function lostRun(id: string): HeadraceError {
  return new HeadraceError('HR_CONFLICT', `run ${id} was taken over by another process, or ended by it`);
}
