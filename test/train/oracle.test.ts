import { describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { SGD } from '../../src/optim/sgd.ts'
import { expectClose, relativeError } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import {
  int32Of,
  loadCase,
  ORACLE_TOLERANCE,
  type OracleTensors,
  oracleCases,
  tensorOf,
} from '../support/oracle.ts'

/** The tensors whose names open with `prefix`, without it. */
function part(tensors: OracleTensors, prefix: string): StateDict {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, array]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [],
    ),
  )
}

describe('short training runs give the losses, gradients and weights that PyTorch gives', () => {
  for (const one of oracleCases('train'))
    test(one.name, async () => {
      const engine = await testEngine()
      const tensors = loadCase(one)
      const {
        channels = [],
        hidden = 0,
        classes = 0,
        freeze = [],
        lr = 0,
        momentum = 0,
        weight_decay: weightDecay = 0,
      } = one.attrs
      const model = await alexnet(engine, {
        variant: 'alexnet-64',
        channels,
        hidden,
        classes,
        dropout: 0,
        weights: part(tensors, 'init.'),
      })
      for (const parameter of model.parameters())
        parameter.trainable = !freeze.some((prefix) => parameter.name.startsWith(prefix))
      const optimizer = new SGD(model.parameters(), { lr, momentum, weightDecay })
      const [x, targets] = [tensorOf(tensors, 'x'), int32Of(tensors, 'target')]
      const [batches = 0, batch = 0, ...image] = x.shape
      const size = batch * image.reduce((a, b) => a * b, 1)
      const wanted = tensorOf(tensors, 'losses').data
      const losses: number[] = []
      for (let step = 0; step < wanted.length; step++) {
        const i = step % batches
        const input = engine.tensor(x.data.slice(i * size, (i + 1) * size), [batch, ...image])
        const loss = crossEntropy(
          model.forward(input, { training: true }),
          targets.slice(i * batch, (i + 1) * batch),
        )
        const value = loss.data()
        loss.backward()
        if (step === 0) {
          const gradients = part(tensors, 'grad.')
          for (const parameter of model.parameters()) {
            expect(parameter.tensor.grad !== null, `${parameter.name} has a gradient`).toBe(
              parameter.trainable,
            )
            if (!parameter.tensor.grad) continue
            const { data = new Float32Array(0) } = gradients[parameter.name] ?? {}
            // Five convolutions deep, the rounding of each layer adds to the last: ten times a
            // single operator's.
            expectClose(await parameter.tensor.grad.data(), data, parameter.shape, {
              relative: 10 * ORACLE_TOLERANCE.operator,
              name: `grad ${parameter.name}`,
            })
          }
        }
        optimizer.step()
        optimizer.zeroGrad()
        losses.push((await value)[0] ?? Number.NaN)
        for (const tensor of [input, loss]) tensor.dispose()
      }
      expect(relativeError(Float32Array.from(losses), wanted)).toBeLessThan(ORACLE_TOLERANCE.run)
      const final = part(tensors, 'final.')
      for (const [name, { data }] of Object.entries(await model.stateDict()))
        expect(relativeError(data, final[name]?.data ?? []), name).toBeLessThan(
          ORACLE_TOLERANCE.run,
        )
      optimizer.dispose()
      model.dispose()
    })
})
