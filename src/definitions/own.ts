// Looking things up by users' names: "constructor" and "toString" are names too, and every object inherits those.

/** The member that is the record's own; undefined when there is none. */
export function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
