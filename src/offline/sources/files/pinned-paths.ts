// Which file is meant by a path that only says where it is held open: for messages, which must name what the user knows.

const names = new Map<string, string>();

export function namePinnedPath(path: string, file: string): void {
  names.set(path, file);
}

export function forgetPinnedPath(path: string): void {
  names.delete(path);
}

/** The text with the files' own names. */
export function nameFilesIn(text: string): string {
  if (names.size === 0) return text;
  return text.replace(/\/proc\/self\/fd\/\d+/g, (path) => names.get(path) ?? path);
}
