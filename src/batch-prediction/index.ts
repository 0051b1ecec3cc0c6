export { type ArmChoice, type BatchArm, chooseArm } from './choose-arm.ts';
export { type BatchDeps, type BatchMeans, type BatchRequest, type PredictedFile, predictFile } from './predict-file.ts';
