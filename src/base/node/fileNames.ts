import { isUtf8 } from 'node:buffer'
import { type Dirent, readlinkSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'

/**
 * Names of files as strings, whatever their bytes. On Linux a name is bytes, mostly UTF-8 but not
 * always: an old archive leaves names in Latin-1. A byte that is no UTF-8 becomes the lone half of
 * a surrogate pair, U+DC00 plus the byte, as in Python (PEP 383). No text contains one, so that the
 * bytes can be told from the string again; `printable` shows it as \xfc.
 */

const surrogate = /\p{Surrogate}/u
const firstByte = 0xdc80
const lastByte = 0xdcff

/** A name's bytes as a string. */
export function nameOf(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes).toString('utf8')
  let name = ''
  for (let i = 0; i < bytes.length; ) {
    const letters = [1, 2, 3, 4]
      .map((length) => bytes.subarray(i, i + length))
      .find((letter) => isUtf8(letter))
    name += letters
      ? Buffer.from(letters).toString('utf8')
      : String.fromCharCode(0xdc00 + (bytes[i] ?? Number.NaN))
    i += letters?.length ?? 1 // one byte that is no UTF-8
  }
  return name
}

/** The bytes of a name that `nameOf` gave. */
function bytesOf(name: string): Buffer {
  const parts = Array.from(name, (character) => {
    const code = character.codePointAt(0) ?? Number.NaN
    const isByte = code >= firstByte && code <= lastByte
    return isByte ? Buffer.from([code - 0xdc00]) : Buffer.from(character)
  })
  return Buffer.concat(parts)
}

/**
 * A path as Node's file functions take it: the string itself, or its bytes if they are not UTF-8.
 * Every path that a person gave or a folder named goes through it on its way to the disk.
 * @example await readFile(fsPath(join(folder, name)))
 */
export function fsPath<T>(path: T): T | Buffer {
  return typeof path === 'string' && surrogate.test(path) ? bytesOf(path) : path
}

/** A path from the root; the current folder's name may have such bytes too. */
export function absolutePath(path: string): string {
  const here = process.cwd()
  const isLossy = process.platform === 'linux' && here.includes('\ufffd')
  return resolve(
    isLossy ? nameOf(readlinkSync('/proc/self/cwd', { encoding: 'buffer' })) : here,
    path,
  )
}

/** An entry of a folder. */
export type Entry = Pick<Dirent, 'isDirectory' | 'isFile' | 'isSymbolicLink'> & {
  readonly name: string
}

/** The entries of a folder, names that are not UTF-8 included. @throws errors of the file system */
export async function readEntries(folder: string): Promise<Entry[]> {
  const entries = await readdir(fsPath(folder), { withFileTypes: true, encoding: 'buffer' })
  return entries.map((entry) => ({
    name: nameOf(entry.name),
    isDirectory: () => entry.isDirectory(),
    isFile: () => entry.isFile(),
    isSymbolicLink: () => entry.isSymbolicLink(),
  }))
}
