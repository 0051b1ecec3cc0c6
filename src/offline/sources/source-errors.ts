// What DuckDB says of unreadable sources and of users' functions, as errors of the catalogue.

import { type ErrorCode, ERRORS, HeadraceError, messageOf } from '../../core/index.ts';
import { nameFilesIn } from './files/pinned-paths.ts';

/**
 * Runs a query's work; an error in it is turned into the catalogue's: one raised by a user's function keeps its code,
 * a full disk is HR_STORAGE_FULL, S3 that stops HR_STORAGE_UNAVAILABLE, anything else is what `otherwise` says,
 * with `what` in front.
 */
export async function queryWork<T>(what: string, otherwise: ErrorCode, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw queryError(what, otherwise, thrown);
  }
}

/** HR_SOURCE_CHANGED of a file that is not what it was when the run began, or is gone. */
export function sourceChanged(owner: string, path: string, isGone: boolean): HeadraceError {
  const what = isGone ? 'was removed' : 'was changed';
  return new HeadraceError(
    'HR_SOURCE_CHANGED',
    `${owner}: ${path} ${what} while it was read. Nothing of this run is kept; run it again.`,
  );
}

function queryError(what: string, otherwise: ErrorCode, thrown: unknown): HeadraceError {
  if (thrown instanceof HeadraceError) return thrown;
  const message = nameFilesIn(messageOf(thrown));
  const raised = /(HR_[A-Z_]+): ([\s\S]*)$/.exec(message);
  const code = raised?.[1];
  // A function running inside a query can only raise text: its code stands at the front.
  if (raised !== null && code !== undefined && Object.hasOwn(ERRORS, code)) {
    return new HeadraceError(code as ErrorCode, raised[2] as string, { cause: thrown });
  }
  if (/No space left on device|Disk quota exceeded|max_temp_directory_size/i.test(message)) {
    return new HeadraceError('HR_STORAGE_FULL', `${what}: the disk is full. Free space and run it again.`, {
      cause: thrown,
    });
  }
  if (/File too large/.test(message)) {
    const sentence = `${what}: a file grew past what this process may write (ulimit -f). Raise that limit and run it again.`;
    return new HeadraceError('HR_STORAGE_FULL', sentence, { cause: thrown });
  }
  // By httpfs, which has asked again by then. Of what stops in the middle it says the one or the other.
  if (/(Timeout was reached|Transferred a partial file) error for HTTP/.test(message)) {
    const sentence = `${what}: S3 said nothing more, however often it was asked (${plainMessage(message)}). Where it takes that long, raise offline.s3Silence.`;
    return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: thrown });
  }
  return new HeadraceError(otherwise, `${what}: ${plainMessage(message)}`, { cause: thrown });
}

/** DuckDB's message without its class, its echo of our SQL, and the line that points into it. */
function plainMessage(message: string): string {
  const [first = message] = message.split(/\n\s*\n?LINE \d+:/);
  return first.replace(/^([A-Z][\w-]* )+Error: /i, '').trim();
}
