/** Every reference operator: plain float64 loops without a GPU, written to be read. test/reference/*.test.ts proves them. */
export * from './conv2d.ts'
export * from './linear.ts'
export * from './maxPool2d.ts'
export * from './ndarray.ts'
export * from './relu.ts'
