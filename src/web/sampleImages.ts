import address from 'virtual:samples'
import { readSamples, type Samples } from './samples.ts'

/** The images that come with the page. */
export async function fetchSamples(): Promise<Samples> {
  const response = await fetch(address)
  if (!response.ok)
    throw new Error('The sample images of this page are missing on its server. Reload the page.')
  return readSamples(new Uint8Array(await response.arrayBuffer()))
}
