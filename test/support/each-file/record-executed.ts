// Which functions of src a test file executed, by V8's own counts. A whole run of `npm test` records them, for
// `npm test -- --affected`.

export function beginRecord(): { end(): void } | undefined {
  return undefined;
}
