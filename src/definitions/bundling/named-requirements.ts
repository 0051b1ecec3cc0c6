// What a file of pip's requirements takes in: `-r base.txt` and `-c pins.txt`. They are as much of an environment as the file.

const OPTION = /^\s*(?:-r\s*|-c\s*|--requirement(?:\s+|=)|--constraint(?:\s+|=))(?:"([^"]+)"|'([^']+)'|(\S+))/;
const ADDRESS = /^[a-z][a-z0-9+.-]+:\/\//i;

/** Paths as they are written, relative to the folder of the file. What lies at an address, or is named by a variable, is left out. */
export function namedRequirements(text: string): readonly string[] {
  const found: string[] = [];
  for (const line of text.replace(/\\\r?\n/g, '').split(/\r?\n/)) {
    const [, ...quotedOrNot] = OPTION.exec(line.replace(/(^|\s)#.*$/, '')) ?? [];
    const path = quotedOrNot.find((one) => one !== undefined);
    if (path !== undefined && !ADDRESS.test(path) && !path.includes('${')) found.push(path);
  }
  return found;
}
