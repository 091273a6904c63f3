import { basename, resolve } from 'node:path'
import { fsPath } from '../base/node/fileNames.ts'
import { printable } from '../base/printable.ts'

/**
 * The images' name within names of runs: their folder, or their file without its ending. What is no
 * text in it becomes a line.
 */
export function dataName(dir: string): string {
  const name = basename(resolve(dir)).replace(/\.(csv|tsv|tar)$/i, '')
  return name.replace(/[\p{Cc}\p{Cs}]/gu, '_') || 'images'
}

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

/** A command to type next; through npx if this one was started by npm. */
export function nextCommand(...args: readonly string[]): string {
  const command = process.env.npm_config_user_agent ? ['npx', 'graft'] : ['graft']
  return [...command, ...args].map(quoted).join(' ')
}
