import { adaptiveAvgPool2d } from './adaptiveAvgPool2d.ts'
import { conv2d } from './conv2d.ts'
import { crossEntropy } from './crossEntropy.ts'
import { dropout, dropoutOff } from './dropout.ts'
import { flatten } from './flatten.ts'
import { linear } from './linear.ts'
import { localResponseNorm } from './localResponseNorm.ts'
import { maxPool2d } from './maxPool2d.ts'
import type { Op, ViewOp } from './op.ts'
import { relu } from './relu.ts'
import { softmax } from './softmax.ts'

/** Every operator, by name. */
export const operators = {
  adaptiveAvgPool2d,
  conv2d,
  crossEntropy,
  dropout,
  dropoutOff,
  flatten,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  softmax,
} as const satisfies Readonly<Record<string, Op<string, never> | ViewOp<never>>>
