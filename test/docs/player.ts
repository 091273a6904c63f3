/**
 * A process that plays commands and programs of the docs one after the other, as if each had been
 * started by itself: starting a process for each would take longer than what they do. It is told
 * what to do by messages, and answers each with what happened.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import type * as Main from '../../src/cli/main.ts'
import type { Host } from '../../src/host/host.ts'
import { lending } from '../support/lentDevice.ts'
import { preparePlace, serveDownloads } from './place.ts'

export type Step =
  /** Makes the folder that every page starts with. */
  | { readonly kind: 'prepare'; readonly folder: string }
  /** Runs `graft` with these words. */
  | { readonly kind: 'graft'; readonly args: readonly string[]; readonly folder: string }
  /** Only looks whether `graft` takes these words. */
  | { readonly kind: 'parse'; readonly args: readonly string[] }
  /** Runs a program. */
  | { readonly kind: 'program'; readonly file: string; readonly folder: string }

export interface Played {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The package's folder, compiled. */
const [, , packageFolder = ''] = process.argv
const load = (name: string) => import(pathToFileURL(join(packageFolder, 'dist', name)).href)
const { runCommand, makeProgram }: typeof Main = await load('cli/main.js')
// All of it computes on one device, for which a kernel is compiled once.
const { nodeHost } = (await load('nodeHost.js')) as { nodeHost: Host }
Object.assign(nodeHost, lending(nodeHost))

process.on('message', async (step: Step) => {
  process.send?.(await play(step))
})

/** Reads the words as the command does, and runs nothing. */
async function parse(args: readonly string[]): Promise<void> {
  const idle = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => {})
    for (const one of command.commands) idle(one)
  }
  const program = await makeProgram(args)
  idle(program)
  await program.parseAsync(args, { from: 'user' })
}

async function play(step: Step): Promise<Played> {
  const said = { stdout: '', stderr: '' }
  const streams = ['stdout', 'stderr'] as const
  const writes = streams.map((name) => process[name].write)
  for (const name of streams)
    process[name].write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      said[name] += String(chunk)
      // A command that serves a page goes on until Ctrl-C.
      if (name === 'stdout' && /until Ctrl-C/.test(said.stdout))
        setImmediate(() => process.emit('SIGINT'))
      const done = rest.at(-1)
      if (typeof done === 'function') done()
      return true
    }
  process.exitCode = 0
  try {
    if (step.kind === 'prepare') {
      const graft = await load('index.js')
      await preparePlace(step.folder, packageFolder, graft)
      const { namedDatasets } = await load('data/datasets/registry.js')
      const { namedWeights } = await load('weights/registry.js')
      await serveDownloads({ namedDatasets, namedWeights }, graft)
    }
    if (step.kind === 'graft' || step.kind === 'program') process.chdir(step.folder)
    if (step.kind === 'graft') await runCommand(step.args)
    if (step.kind === 'parse') await parse(step.args)
    if (step.kind === 'program') await import(pathToFileURL(step.file).href)
  } catch (error) {
    process.exitCode = 1
    said.stderr += String(error instanceof Error ? error.stack : error)
  }
  for (const [i, name] of streams.entries())
    process[name].write = writes[i] as typeof process.stdout.write
  const code = Number(process.exitCode)
  process.exitCode = 0
  return { code, ...said }
}
