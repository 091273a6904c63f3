import { expect, test, vi } from 'vitest'
import { testEngine } from '../../support/engine.ts'

test('a read-back keeps a limited amount of memory, and reuses it', async () => {
  const engine = await testEngine()
  const { device } = engine.gpu
  let [held, made] = [0, 0]
  const create = device.createBuffer.bind(device)
  const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
    const buffer = create(descriptor)
    if (descriptor.label !== 'read-back') return buffer
    made++
    held += buffer.size
    const destroy = buffer.destroy.bind(buffer)
    buffer.destroy = () => {
      held -= buffer.size
      return destroy()
    }
    return buffer
  })
  try {
    const length = 8 * 2 ** 20
    const large = [0, 1, 2].map((value) =>
      engine.tensor(new Float32Array(length).fill(value), [length]),
    )
    for (const [value, data] of (await engine.read(large)).entries())
      expect([data.length, data[0], data.at(-1)]).toEqual([length, value, value])
    expect(made).toBe(3)
    expect(held).toBeLessThanOrEqual(64 * 2 ** 20)
    const [first] = large
    for (let again = 0; again < 3; again++) await first?.data()
    expect(made).toBe(3)
    for (const tensor of large) tensor.dispose()
  } finally {
    spy.mockRestore()
  }
})
