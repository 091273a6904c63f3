import { printable } from '../printable.ts'
import { fsPath } from './fileNames.ts'

/**
 * An argument quoted for a shell. One that cannot be shown as it is has its bytes written out, in
 * the quotation of bash, zsh and other shells for Unix, so that it can be copied.
 * @example quoted('a\nb') // "$'a\\x0ab'"
 */
export function quoted(argument: string): string {
  if (/^[\w@%+=:,./\\-]+$/.test(argument)) return argument
  if (printable(argument) === argument) return `'${argument.replaceAll("'", "'\\''")}'`
  return `$'${Array.from(Buffer.from(fsPath(argument)), quotedByte).join('')}'`
}

function quotedByte(byte: number): string {
  const letter = String.fromCharCode(byte)
  if (letter === "'" || letter === '\\') return `\\${letter}`
  return byte >= 0x20 && byte < 0x7f ? letter : `\\x${byte.toString(16).padStart(2, '0')}`
}
