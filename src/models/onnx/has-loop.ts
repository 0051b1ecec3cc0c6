// Whether a model has a loop, whose rounds may come from what it is given: measured quick on one row, it can take for ever on
// another, and nothing on the event loop could end it.

/** `op_type`, field 4 of an ONNX node: its tag, its length, its text. */
const opType = (name: string): Buffer => Buffer.from([0x22, name.length, ...Buffer.from(name)]);
const LOOPS = ['Loop', 'Scan'].map(opType);

/** True, too, where the same bytes happen to be weights: such a model stays in its thread for nothing worse. */
export function hasLoop(onnx: Uint8Array): boolean {
  const bytes = Buffer.from(onnx.buffer, onnx.byteOffset, onnx.byteLength);
  return LOOPS.some((loop) => bytes.includes(loop));
}
