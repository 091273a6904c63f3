/** The layout of a file of rows: the outputs of frozen layers for some images, and their keys. */
import { createHash } from 'node:crypto'
import { WeightsError } from '../base/errors.ts'
import { writeSafetensors } from '../weights/safetensors.ts'
import { headerEnd, parseHeader } from '../weights/safetensorsHeader.ts'
import type { ImageKeys } from './imageKeys.ts'

/** The name of the layout: files of another one are never read, and removed for room. */
export const rowsLayout = 'rows by content and state'
/**
 * Bytes of rows that are written as one file: a killed run loses no more than these, and neither
 * does a damaged file.
 */
export const bytesOfFile = 32 * 2 ** 20
/** The bytes that hold the header's length. */
export const lengthBytes = 8
const keyDigits = 32
/** The state of an image that was in memory. */
const noState = '-'.repeat(keyDigits)

/** What the header of a file says of its rows. */
export interface RowsHeader {
  readonly keys: readonly ImageKeys[]
  /** Where the rows begin in the file. */
  readonly dataStart: number
  /** Of the keys and the rows. */
  readonly sha256: string
}

/** Rows, one after the other, and the keys of their images. */
export interface Rows {
  readonly keys: readonly ImageKeys[]
  readonly data: Float32Array
}

/** Rows, at least one, as a file. */
export function writeRows({ keys, data }: Rows): RowsHeader & { readonly bytes: Uint8Array } {
  const sha256 = checksum(keys, bytesOf(data))
  const bytes = writeSafetensors(
    { rows: { shape: [keys.length, data.length / keys.length], data } },
    { ...metadataOf(keys), sha256 },
  )
  return { bytes, keys, dataStart: headerEnd(bytes, bytes.length), sha256 }
}

/** Several lists of rows as one. */
export function joinedRows(all: readonly Rows[]): Rows {
  const data = new Float32Array(all.reduce((sum, one) => sum + one.data.length, 0))
  let start = 0
  for (const one of all) {
    data.set(one.data, start)
    start += one.data.length
  }
  return { keys: all.flatMap(({ keys }) => keys), data }
}

/**
 * What a header says; null if the file is not one of rows of this width.
 * @param size of the file
 */
export function rowsHeader(header: Uint8Array, size: number, width: number): RowsHeader | null {
  try {
    const { entries, metadata, dataStart } = parseHeader(header, size)
    const keys = keysOf(metadata)
    const { sha256 } = metadata
    const [rows] = entries
    const fits = rows?.name === 'rows' && rows.shape[0] === keys.length && rows.shape[1] === width
    return fits && sha256 !== undefined ? { keys, dataStart, sha256 } : null
  } catch (error) {
    if (error instanceof WeightsError) return null
    throw error
  }
}

/** The rows of a file, if they have this width and are as they were written; else null. */
export function readRows(bytes: Uint8Array, width: number): Rows | null {
  try {
    const end = headerEnd(bytes, bytes.length)
    const header = rowsHeader(bytes.subarray(lengthBytes, end), bytes.length, width)
    if (!header) return null
    const { keys, dataStart, sha256 } = header
    const rows = new Uint8Array(bytes.subarray(dataStart))
    return checksum(keys, rows) === sha256 ? { keys, data: new Float32Array(rows.buffer) } : null
  } catch (error) {
    if (error instanceof WeightsError) return null
    throw error
  }
}

/** The sha256 that a file's header holds. */
export function checksum(keys: readonly ImageKeys[], rows: Uint8Array): string {
  const { contents, states } = metadataOf(keys)
  return createHash('sha256').update(contents).update(states).update(rows).digest('hex')
}

/** Keys in the form that a header holds. */
function metadataOf(keys: readonly ImageKeys[]): {
  readonly contents: string
  readonly states: string
} {
  return {
    contents: keys.map(({ content }) => content).join(''),
    states: keys.map(({ state }) => state ?? noState).join(''),
  }
}

function keysOf({ contents = '', states = '' }: Readonly<Record<string, string>>): ImageKeys[] {
  const piece = (text: string, i: number) => text.slice(i * keyDigits, (i + 1) * keyDigits)
  return Array.from({ length: Math.ceil(contents.length / keyDigits) }, (_, i) => {
    const state = piece(states, i)
    return { content: piece(contents, i), state: state === noState ? null : state }
  })
}

/** Numbers as the bytes they take. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
