import { expect, test } from 'vitest'
import { Account, MemoryMeter } from '../../bench/memory.ts'

/** As much of a device as makes buffers. */
function fakeDevice(): GPUDevice {
  const device = { createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy() {} }) }
  return device as unknown as GPUDevice
}

test('two who share a device are counted apart, each at its highest', async () => {
  const device = fakeDevice()
  const meter = MemoryMeter.of(device)
  expect(MemoryMeter.of(device)).toBe(meter)
  const [ours, theirs] = [new Account(meter), new Account(meter)]
  const make = (size: number) => device.createBuffer({ size, usage: 0 })
  make(1000) // nobody's
  const kept = await ours.during(async () => {
    make(30).destroy()
    return make(20)
  })
  await theirs.during(async () => make(500))
  expect([ours.peak, theirs.peak]).toEqual([30, 500])
  ours.restart()
  expect(ours.peak).toBe(20)
  kept.destroy() // by anyone, and once only
  kept.destroy()
  await ours.during(async () => make(15))
  expect(ours.peak).toBe(20)
})

test('a body that fails leaves nobody counted', async () => {
  const device = fakeDevice()
  const account = new Account(MemoryMeter.of(device))
  await expect(account.during(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  device.createBuffer({ size: 10, usage: 0 })
  expect(account.peak).toBe(0)
})
