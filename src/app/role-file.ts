// The program of a role, such as a worker's or a job's: each is a file beside this one.

import { fileURLToPath } from 'node:url';

export function roleFile(name: string): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url));
}
