export { type Binding, bindInputs } from './bind-inputs.ts';
export { bindOutputs } from './bind-outputs.ts';
export { checkSignature } from './check-signature.ts';
export type {
  LoadedModel,
  ModelRuntime,
  Signature,
  Tensor,
  TensorData,
  TensorSpec,
  TensorType,
} from './model-runtime.ts';
export { compileShownValues } from './shown-values.ts';
export { createOnnxRuntime, type OnnxRuntimeOptions } from './onnx/create-onnx-runtime.ts';
