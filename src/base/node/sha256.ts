import { createHash } from 'node:crypto'
import { inputPieces } from './inputFile.ts'

/**
 * The sha256 of a file, in lower-case hexadecimal; read by parts.
 * @throws ReadError for what is no regular file, or cannot be read
 */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of inputPieces(path)) hash.update(piece)
  return hash.digest('hex')
}
