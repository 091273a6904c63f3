import { describe, expect, test } from 'vitest'
import { UsageError, WeightsError } from '../../src/base/errors.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import { WeightAverage } from '../../src/optim/average.ts'
import { sameBits } from '../support/bits.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { recipes } from '../support/recipes.ts'

const engine = await testEngine()

const parameterOf = (values: readonly number[], name = 'p') =>
  new Parameter(name, engine.tensor(Float32Array.from(values), [values.length]))

async function read(averages: WeightAverage) {
  const collect = averages.readLater()
  engine.gpu.submit()
  return collect()
}

describe('WeightAverage', () => {
  test.each(recipes.averages)(
    'as PyTorch: decay $decay',
    async ({ decay, start, values, averages: wanted }) => {
      const p = parameterOf(start)
      const averages = new WeightAverage([p], decay, { warmUp: false })
      for (const [i, value] of values.entries()) {
        p.assign(engine, Float32Array.from(value))
        averages.update()
        const { data = new Float32Array(0) } = (await read(averages)).p ?? {}
        expectClose(data, wanted[i] ?? [], [start.length], {
          relative: 1e-6,
          absolute: 1e-7,
          name: `update ${i + 1}`,
        })
      }
      averages.dispose()
      p.dispose()
    },
  )

  test('the decay grows to its value, as in TensorFlow', async () => {
    const p = parameterOf([0])
    const averages = new WeightAverage([p], 0.5)
    let wanted = 0
    for (let n = 1; n <= 12; n++) {
      const decay = Math.min(0.5, (1 + n) / (10 + n))
      wanted = decay * wanted + (1 - decay) * n
      p.assign(engine, Float32Array.of(n))
      averages.update()
      expectClose((await read(averages)).p?.data ?? [], [wanted], [1], {
        relative: 1e-6,
        name: `update ${n}`,
      })
    }
    averages.dispose()
    p.dispose()
  })

  test('swapping exchanges both, frozen parameters keep their bits, and state goes to another', async () => {
    const before = engine.memory()
    const [p, frozen] = [parameterOf([1, 2, 3, 4, 5], 'p'), parameterOf([0.1, 0.7], 'frozen')]
    const averages = new WeightAverage([p, frozen], 0.9)
    frozen.trainable = false
    const second = Float32Array.of(0, -1, 1e-3, 7, 9)
    p.assign(engine, second)
    averages.update()
    const state = await read(averages)
    expect(sameBits(state.frozen?.data, Float32Array.of(0.1, 0.7))).toBe(true)
    averages.swap()
    expect(sameBits(await p.tensor.data(), state.p?.data)).toBe(true)
    expect(sameBits((await read(averages)).p?.data, second)).toBe(true)
    averages.swap()
    const other = new WeightAverage([], 0.9)
    other.load([p, frozen], state, averages.updates)
    p.assign(engine, Float32Array.of(5, 5, 5, 5, 5))
    for (const one of [averages, other]) one.update()
    expect(sameBits((await read(other)).p?.data, (await read(averages)).p?.data)).toBe(true)
    expect(() => other.load([frozen], state, 1)).toThrow(WeightsError)
    for (const one of [averages, other, p, frozen]) one.dispose()
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  })

  test.each([0, 1, -1, Number.NaN])('a decay of %d is refused', (decay) => {
    expect(() => new WeightAverage([], decay)).toThrow(UsageError)
  })
})
