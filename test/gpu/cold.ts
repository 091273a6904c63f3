// Prepares the kernels of a small network in a new process, computes a loss, and prints progress,
// loss and open devices as JSON. The process must end by itself. The first argument names the
// adapter.
import { createEngineOn } from '../../src/createEngine.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { crossEntropy, flatten, linear, maxPool2d, relu } from '../../src/index.ts'
import { nodeHost } from '../../src/nodeHost.ts'

let open = 0
const requestAdapter: typeof nodeHost.requestAdapter = async (choice) => {
  const found = await nodeHost.requestAdapter(choice)
  const request = found.adapter.requestDevice.bind(found.adapter)
  found.adapter.requestDevice = async (descriptor) => {
    const device = await request(descriptor)
    open++
    void device.lost.then(() => open--)
    return device
  }
  return found
}
const engine = await createEngineOn(
  { ...nodeHost, requestAdapter },
  { adapter: process.argv[2] as AdapterChoice },
)
const x = engine.tensor(new Float32Array(2 * 3 * 8 * 8).fill(1), [2, 3, 8, 8])
const w = engine.tensor(new Float32Array(3 * 27).fill(0.1), [3, 27])
const loss = () => {
  const pooled = maxPool2d(relu(x), { kernel: 3, stride: 2 })
  return crossEntropy(linear(flatten(pooled), w, null), Int32Array.of(0, 2))
}
const progress: number[][] = []
await engine.gpu.prepare(
  () => loss().dispose(),
  (...done) => progress.push(done),
)
const [value] = await loss().data()
const { device } = engine.gpu
engine.dispose()
await device.lost
console.log(JSON.stringify({ progress, loss: value, open }))
