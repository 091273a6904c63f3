// Opens an engine whose first kernel does not compile, on the adapter named by the first argument.
// The process must end by itself.
import { createEngineOn } from '../../src/createEngine.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { nodeHost } from '../../src/nodeHost.ts'

const path = 'lib/subgroup_check.wgsl'
const readShaders = async () => {
  const files = await nodeHost.readShaders()
  return new Map([...files, [path, `${files.get(path)}\n!`]])
}
await createEngineOn(
  { ...nodeHost, readShaders },
  { adapter: process.argv[2] as AdapterChoice },
).catch((error: Error) => console.log(error.message))
