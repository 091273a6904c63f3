import { WeightsError } from '../gpu/errors.ts'
import { type ByteSource, blobSource, fileSource } from './source.ts'

/** A weights file that is open, and the folder it lies in. */
export interface WeightsPlace {
  readonly source: ByteSource
  /**
   * Opens another file of the same folder; it is closed with this one.
   * @param name as a manifest gives it: no path, so that a manifest cannot lead out of its folder
   */
  sibling(name: string): Promise<ByteSource>
  close(): Promise<void>
}

/** Whether the host has a disk: Node, not a browser. */
export function hasDisk(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined
}

/**
 * Opens a file on the disk where the host has one, else over the network.
 * @param place a path, which in a browser is relative to the page, or an address
 * @throws WeightsError in one line, without the place's name
 */
export async function openPlace(place: string | URL): Promise<WeightsPlace> {
  const source = await openSource(place)
  const opened = [source]
  return {
    source,
    sibling: async (given) => {
      // TensorFlow.js writes ./weights.bin.
      const name = given.replace(/^\.\//, '')
      if (!/^[^/\\:]+$/.test(name) || name === '.' || name === '..')
        throw new WeightsError(`it names the file ${JSON.stringify(name.slice(0, 80))}, which is not a plain name of one in its own folder`)
      try {
        const next = await openSource(await besides(place, name))
        opened.push(next)
        return next
      } catch (cause) {
        if (cause instanceof WeightsError) throw new WeightsError(`its file ${name}: ${cause.message}`, { cause })
        throw cause
      }
    },
    close: async () => {
      for (const one of opened) await one.close()
    },
  }
}

async function besides(place: string | URL, name: string): Promise<string | URL> {
  if (place instanceof URL) return new URL(encodeURIComponent(name), place)
  if (!hasDisk()) return new URL(encodeURIComponent(name), new URL(place, globalThis.location.href))
  const { dirname, join } = await import('node:path')
  return join(dirname(place), name)
}

async function openSource(place: string | URL): Promise<ByteSource> {
  if (!hasDisk() || (place instanceof URL && place.protocol !== 'file:')) return blobSource(await fetchBlob(place))
  try {
    return await fileSource(place)
  } catch (cause) {
    if (cause instanceof WeightsError) throw cause
    throw new WeightsError(reasonFor(cause, place), { cause })
  }
}

async function fetchBlob(place: string | URL): Promise<Blob> {
  let response: Response
  try {
    response = await fetch(place)
  } catch (cause) {
    throw new WeightsError(`cannot be fetched from ${place}; check the address and the network`, { cause })
  }
  if (!response.ok) throw new WeightsError(`the server answered ${response.status} for ${place}; check the address`)
  return response.blob()
}

function reasonFor(error: unknown, place: string | URL): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return place instanceof URL ? `${place.pathname} is missing; install Graft again` : 'no such file; check the path'
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it; change its rights'
  return `cannot be read (${message})`
}
