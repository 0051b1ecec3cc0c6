// Numbers of things as people read them.

/** `1 record`, `2 records`; of nouns whose plural ends in s. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
