import { basename, resolve } from 'node:path'
import { quoted } from '../base/node/quoted.ts'
import { invocation } from './invocation.ts'

/**
 * The images' name within names of runs: their folder, or their file without its ending. What is no
 * text in it becomes a line.
 */
export function dataName(dir: string): string {
  const name = basename(resolve(dir)).replace(/\.(csv|tsv|tar)$/i, '')
  return name.replace(/[\p{Cc}\p{Cs}]/gu, '_') || 'images'
}

/**
 * A command to type next, which begins as this one did.
 * @example nextCommand('report', 'runs/my photos') // "npx graft-webgpu report 'runs/my photos'"
 */
export function nextCommand(...args: readonly string[]): string {
  return [invocation(), ...args.map(quoted)].join(' ')
}
