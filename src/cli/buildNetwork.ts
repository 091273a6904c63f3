import { WeightsError } from '../base/errors.ts'
import { alexnet } from '../nn/alexnet.ts'
import type { Network } from '../nn/network.ts'
import type { Engine } from '../tensor/tensor.ts'
import type { chooseNetwork } from './trainSettings.ts'

/** Builds the network that `chooseNetwork` chose. */
export async function buildNetwork(
  engine: Engine,
  network: ReturnType<typeof chooseNetwork>,
  seed: number,
): Promise<Network> {
  try {
    return await alexnet(engine, { ...network, seed })
  } catch (error) {
    // The file does not say which AlexNet it is for, so torchvision's was tried.
    if (
      !(error instanceof WeightsError) ||
      network.variant ||
      !error.message.includes('does not fit')
    )
      throw error
    throw new WeightsError(
      `${error.message}; if it is for another AlexNet, give it with --variant`,
      { cause: error },
    )
  }
}
