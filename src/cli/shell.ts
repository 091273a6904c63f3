import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { quoted } from '../base/node/quoted.ts'
import { datasetsFolder } from '../data/datasets/node/store.ts'
import { parseAddress } from '../store/node/address.ts'
import { invocation } from './invocation.ts'

/** The images' name within names of runs: their folder, or their file without its ending. */
export function dataName(dir: string): string {
  return nameOf(dir).replace(/\.(csv|tsv|tar)$/i, '') || 'images'
}

/** The name of a folder or file, also of an address; what is no text in it becomes a line. */
export function nameOf(path: string): string {
  const place = parseAddress(path)
  const name =
    place.kind === 'file' ? basename(place.path) : basename(`${place.bucket}/${place.prefix}`)
  return name.replace(/[\p{Cc}\p{Cs}]/gu, '_')
}

/**
 * A command to type next, which begins as this one did.
 * @example nextCommand('report', 'runs/my photos') // "npx graft-webgpu report 'runs/my photos'"
 */
export function nextCommand(...args: readonly string[]): string {
  return [invocation(), ...args.map(asTyped).map(quoted)].join(' ')
}

/** The folder of a dataset by its name, where that means the same. */
function asTyped(argument: string): string {
  const name = basename(argument)
  return dirname(argument) === datasetsFolder() && !existsSync(name) ? name : argument
}
