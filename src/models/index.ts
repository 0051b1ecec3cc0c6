export { type Binding, bindInputs, bindOutputs, checkSignature } from './binding.ts';
export type { LoadedModel, ModelRuntime, Signature, Tensor, TensorData, TensorSpec, TensorType } from './model-runtime.ts';
export { createOnnxRuntime, type OnnxRuntimeOptions } from './onnx/onnx-runtime.ts';
