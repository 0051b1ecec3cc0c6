// Which files of the repository a shell's command names: its words that are paths of text files there.

import { posix } from 'node:path';
import { staysBehind } from './repository-texts.ts';

/** Paths that the words of a command may be, whether there is such a file or not. */
export function pathsInCommand(command: string): string[] {
  const words = command.split(/[\s;|&()<>"'`=]+/).filter((word) => word !== '' && !word.startsWith('-'));
  const paths = words.map((word) => posix.normalize(word));
  return [...new Set(paths)].filter((path) => !path.startsWith('/') && !path.split('/').some(staysBehind));
}
