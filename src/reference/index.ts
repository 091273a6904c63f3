/**
 * Every reference operator: plain float64 loops without a GPU, written to be read.
 * test/reference/*.test.ts proves them.
 */
export * from './adaptiveAvgPool2d.ts'
export { augment } from './augment.ts'
export * from './conv2d.ts'
export * from './crossEntropy.ts'
export * from './dropout.ts'
export * from './linear.ts'
export * from './localResponseNorm.ts'
export * from './maxPool2d.ts'
export * from './ndarray.ts'
export * from './optimizers.ts'
export * from './random.ts'
export * from './relu.ts'
export * from './resizeCrop.ts'
export * from './softmax.ts'
