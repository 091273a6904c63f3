import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { alexnet } from '../../src/nn/alexnet.ts'
import { metadataOf } from '../../src/nn/metadata.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { testEngine } from './engine.ts'

/**
 * Writes the weights of a narrow alexnet-64, for tests in which it does not matter what is computed:
 * a software adapter trains it in a fraction of the time.
 * @returns the file
 */
export async function narrowWeights(file: string): Promise<string> {
  const network = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [4, 4, 4, 4, 4],
    hidden: 8,
    classes: 5,
  })
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, writeSafetensors(await network.stateDict(), metadataOf(network)))
  network.dispose()
  return file
}
