// What was thrown, in its own words: anything can be thrown, and a log line or a sentence wants a text.

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
