import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the C library does with file descriptors and Node does not. */
interface Descriptors {
  dup(fd: number): number
  dup2(from: number, to: number): number
}

/** What Graft uses of koffi, the package that calls C functions. */
interface Koffi {
  load(library: string): { func(declaration: string): (...args: readonly number[]) => number }
}

const standardError = 2

/**
 * Runs native code that may write to the error stream by itself, such as Dawn's warnings about
 * limits and remarks of Vulkan drivers, and keeps what it writes off that stream. If the process
 * dies in it, its last words are printed after all. With GRAFT_VERBOSE in the environment nothing
 * is held back, and neither where the descriptor cannot be exchanged: outside Linux, whose drivers
 * alone are known to write, in Deno, and where koffi, an optional dependency, is not installed.
 * @param work returns before anything else can write to the error stream: what it starts and does
 * not wait for writes as ever
 */
export function quietly<T>(work: () => T): T {
  descriptors ??= findDescriptors()
  if (process.env.GRAFT_VERBOSE || !descriptors) return work()
  sink ??= openSink()
  const own = descriptors.dup(standardError)
  descriptors.dup2(sink, standardError)
  try {
    return work()
  } finally {
    descriptors.dup2(own, standardError)
    closeSync(own)
    ftruncateSync(sink)
  }
}

/** The file that the process's native code writes to; empty but while `quietly` works. */
let sink: number | undefined

function openSink(): number {
  const file = join(tmpdir(), `graft-stderr-${randomUUID()}`)
  const opened = openSync(file, 'ax', 0o600)
  // One shell for the whole process: its input ends when this process does, however that dies, and
  // what is in the file then are its last words. It ignores Ctrl-C, which goes to both.
  const watch = 'trap "" INT TERM HUP; read -r _; [ -s "$0" ] && cat "$0" >&2; rm -f "$0"'
  const guard = spawn('/bin/sh', ['-c', watch, file], { stdio: ['pipe', 'ignore', standardError] })
  guard.on('error', () => rmSync(file, { force: true })) // no shell here: nobody would print it
  guard.unref()
  if (guard.stdin instanceof Socket) guard.stdin.unref()
  return opened
}

/** False where there are none. */
let descriptors: Descriptors | false | undefined

function findDescriptors(): Descriptors | false {
  // Deno numbers its files itself.
  if (process.platform !== 'linux' || 'deno' in process.versions) return false
  try {
    const require = createRequire(import.meta.url)
    const libc = (require(`@koromix/koffi-linux-${process.arch}`) as Koffi).load('libc.so.6')
    const [dup, dup2] = [libc.func('int dup(int)'), libc.func('int dup2(int, int)')]
    return { dup, dup2 }
  } catch {
    return false
  }
}
