/**
 * What Node and browsers have alike; index.ts and browser.ts add to it what each does in its own
 * way.
 */
export {
  type AddOptions,
  type AvgPool2dOptions,
  adaptiveAvgPool2d,
  add,
  avgPool2d,
  type BatchNormOptions,
  type BatchNormTensors,
  batchNorm,
  type Conv2dOptions,
  type CrossEntropyOptions,
  clamp,
  concat,
  conv2d,
  crossEntropy,
  type DropoutOptions,
  dropout,
  flatten,
  hardswish,
  type LinearOptions,
  type LocalResponseNormOptions,
  linear,
  localResponseNorm,
  type MaxPool2dOptions,
  maxPool2d,
  relu,
  relu6,
  type Size2d,
  sigmoid,
  silu,
  softmax,
} from './autograd/functions.ts'
export {
  type AdapterAttempt,
  AdapterError,
  AutogradError,
  DataError,
  DeviceLostError,
  GraftError,
  KernelError,
  NonFiniteError,
  OutOfMemoryError,
  ShapeError,
  UsageError,
  WeightsError,
} from './base/errors.ts'
export type { Difference, Interval, Share } from './base/interval.ts'
export { Random } from './base/random.ts'
export type { LoadOptions, NamedArray, StateDict } from './base/stateDict.ts'
export type { ByteSource, WeightsPlace } from './base/weightsPlace.ts'
export type { EngineOptions } from './createEngine.ts'
export {
  type Augmentation,
  type AugmentationName,
  augmentations,
  type Range,
} from './data/augment.ts'
export type {
  ArrayDataset,
  FileRange,
  ImageDataset,
  Sample,
  SampleList,
  Source,
  StoredImage,
} from './data/dataset.ts'
export { filesDataset, type PlacedFile } from './data/filesDataset.ts'
export type { DataOptions } from './data/split.ts'
export { resizeCrop } from './data/transforms.ts'
export type { Constants, Cost, Grid, KernelSource, Params } from './gpu/kernels/kernel.ts'
export type { WantedLimits } from './gpu/limits.ts'
export type { MemoryReport } from './gpu/memory/pool.ts'
export type { Recorder } from './gpu/recorder.ts'
export {
  describeOmission,
  type Omission,
  type RecordedBinding,
  type RecordedCall,
  type RecordedDispatch,
  type RecordedTensor,
  type Recording,
} from './gpu/recording.ts'
export type { AdapterChoice, AdapterKind, Files, Host, Reserve, RgbImage } from './host/host.ts'
export {
  AvgPool2d,
  type AvgPool2dShape,
  Hardswish,
  ReLU6,
  Sigmoid,
  SiLU,
} from './nn/activations.ts'
export { type AlexNetOptions, alexnet, type Variant, variants } from './nn/alexnet.ts'
export { BatchNorm2d, type BatchNormShape } from './nn/batchNorm.ts'
export { Branches, Residual, type ResidualParts, Sequential } from './nn/blocks.ts'
export { ModuleBuffer } from './nn/buffer.ts'
export { type Init, type InitName, initialize, initNames } from './nn/init.ts'
export {
  AdaptiveAvgPool2d,
  Conv2d,
  type Conv2dShape,
  Dropout,
  Flatten,
  type LayerInit,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  type MaxPool2dShape,
  ReLU,
  Softmax,
} from './nn/layers.ts'
export { type ForwardOptions, type LayerContext, Module } from './nn/module.ts'
export { type Architecture, Network } from './nn/network.ts'
export {
  type NetworkOptions,
  type NetworkVariant,
  network,
  networkVariants,
} from './nn/networks.ts'
export { exportOnnx, type ImportOnnxOptions, importOnnx, type OnnxSource } from './nn/onnx.ts'
export { type DeferredTensor, Parameter, type ParameterOptions } from './nn/parameter.ts'
export type { Preprocess } from './nn/preprocess.ts'
export { type ResNetOptions, type ResNetVariant, resnet, resnetVariants } from './nn/resnet.ts'
export type { Reduction } from './ops/crossEntropy.ts'
export type { TuningResult } from './ops/tuneContractions.ts'
export { Adam } from './optim/adam.ts'
export { AdamW } from './optim/adamw.ts'
export type { AdamOptions } from './optim/adaptive.ts'
export { WeightAverage } from './optim/average.ts'
export type { ParameterGroup, RateGroup, StepOptions } from './optim/optimizer.ts'
export { SGD, type SGDOptions } from './optim/sgd.ts'
export type { Shape } from './tensor/ndbuffer.ts'
export { Engine, type EngineInfo, Tensor } from './tensor/tensor.ts'
export { type ChooseOptions, chooseScenario } from './train/chooseScenario.ts'
export {
  type Budget,
  bestScenarios,
  type Chance,
  type CompareOptions,
  type Comparison,
  type Contestant,
  compareScenarios,
  type Point,
} from './train/compareScenarios.ts'
export {
  type EvaluateOptions,
  evaluate,
  type Prediction,
  type PredictOptions,
  predict,
} from './train/evaluate.ts'
export type {
  Agenda,
  AgendaStage,
  EpochResult,
  OnEvent,
  Skipped,
  TrainEvent,
} from './train/events.ts'
export {
  findLearningRate,
  type LearningRateOptions,
  type LearningRates,
} from './train/findLearningRate.ts'
export { type FitResult, fit } from './train/fit.ts'
export type { FitOptions, RecipeOptions } from './train/fitOptions.ts'
export { type LearnTrustOptions, learnTrust } from './train/learnTrust.ts'
export { type MemoryPlanOptions, planMemory } from './train/memory.ts'
export type { MemoryPlan } from './train/memoryPlan.ts'
export type { ClassResult, Evaluation } from './train/metrics.ts'
export type { ClassWeights } from './train/recipe/classWeights.ts'
export type { ScheduleName } from './train/recipe/rates.ts'
export type { RatePoint, RateSuggestion } from './train/recipe/suggest.ts'
export type { PackedVector, Spread } from './train/spread.ts'
export type { Trust, Verdict } from './train/trust.ts'
export { type TuneOptions, tune } from './train/tune.ts'
export {
  type Choice,
  decide,
  headOptions,
  type Tie,
  thresholds,
} from './transfer/decide.ts'
export type { Depth, Evidence } from './transfer/evidence.ts'
export type { Forecast } from './transfer/forecast.ts'
export { setTrainable, type TrainablePatterns } from './transfer/patterns.ts'
export {
  applyScenario,
  type ChosenScenario,
  type Plan,
  type Scenario,
  type ScenarioOptions,
  scenarios,
} from './transfer/scenario.ts'
export { writePyTorch } from './weights/pytorch/write.ts'
export type { WeightsName } from './weights/registry.ts'
export { readSafetensors, type WeightsFile, writeSafetensors } from './weights/safetensors.ts'
