import { WeightsError } from '../base/errors.ts'
import type { Opener } from './place.ts'
import { blobSource } from './source.ts'

/** Fetches everything; a path is relative to the page. */
export const web: Opener = {
  open: async (place) => blobSource(await fetchBlob(place)),
  beside: (place, name) => addressBeside(place, [name]),
  below: async (place, path) => blobSource(await fetchBlob(addressBeside(place, path))),
}

function addressBeside(place: string | URL, path: readonly string[]): URL {
  const base = place instanceof URL ? place : new URL(place, globalThis.location.href)
  const relative = path.map(encodeURIComponent).join('/')
  if (!URL.canParse(relative, base))
    throw new WeightsError(`${base.protocol} addresses have no folder; choose the files together`)
  return new URL(relative, base)
}

/** Servers of single pages, and of bundlers, answer every address that they do not know so. */
function webPage(place: string | URL): string {
  return (
    `the server has no such file at ${place}, and sent a web page in its place; put the file ` +
    'into the folder that is served as it is (public/ in Vite), or let the bundler name it: ' +
    "import address from 'graft-webgpu/weights/NAME.safetensors?url' in Vite, " +
    "new URL('graft-webgpu/weights/NAME.safetensors', import.meta.url) in webpack"
  )
}

async function fetchBlob(place: string | URL): Promise<Blob> {
  let response: Response
  try {
    response = await fetch(place)
  } catch (cause) {
    throw new WeightsError(`cannot be fetched from ${place}; check the address and the network`, {
      cause,
    })
  }
  if (!response.ok)
    throw new WeightsError(`the server answered ${response.status} for ${place}; check the address`)
  if (response.headers.get('content-type')?.startsWith('text/html'))
    throw new WeightsError(webPage(place))
  return response.blob()
}
