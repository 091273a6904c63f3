import { stripKernel } from '../gpu/kernels/kernel.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import { allocate, type Shape } from '../tensor/ndbuffer.ts'
import { type Engine, Tensor } from '../tensor/tensor.ts'

const zero = stripKernel('optim/zero', { cost: ({ n }) => ({ flops: 0, bytes: 16 * n }) })

/** A tensor of zeros for the state of an optimizer or an average, without a copy to the GPU. */
export function zeros(engine: Engine, shape: Shape): Tensor {
  const tensor = new Tensor(engine, allocate(engine.gpu, shape))
  eachPart(engine.gpu.bindingLimits, tensor.size, { state: tensor.buffer.storage }, (windows, n) =>
    engine.gpu.run(zero, windows, { n: Math.ceil(n / 4) }),
  )
  return tensor
}
