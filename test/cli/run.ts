import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { access, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import { compiledCommand } from '../support/compiled.ts'
import { drawnShapes } from '../support/shapes.ts'

/** The command as it runs in a clone. */
const inClone = fileURLToPath(new URL('../../src/cli/graft.js', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** The lines of the error stream: all of them are Graft's own. */
  readonly complaints: readonly string[]
  /** Standard output as JSON, a line each; for --json. */
  events(): Record<string, unknown>[]
}

export interface GraftOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** A command that runs the rest of its arguments, in the surroundings it makes. */
  readonly within?: readonly string[]
  /** SIGKILL after so many milliseconds. */
  readonly killAfter?: number
  /** Sees what is printed so far, and may send signals or close the pipe. */
  readonly onStdout?: (
    text: string,
    kill: (signal: NodeJS.Signals) => void,
    close: () => void,
  ) => void
}

/** Not the user's own. */
export const cache = mkdtempSync(join(tmpdir(), 'graft-cache-'))
process.once('exit', () => rmSync(cache, { recursive: true, force: true }))

/**
 * Runs the command as a user does, in a process of its own, on the adapter that GRAFT_ADAPTER
 * names.
 */
export async function graft(
  args: readonly string[],
  { cwd, env, within = [], killAfter, onStdout }: GraftOptions = {},
): Promise<Outcome> {
  // The training page is built with the package; in a clone, from its sources.
  const bin = args[0] === 'web' ? inClone : await compiledCommand()
  return new Promise((resolve, reject) => {
    const [command = '', ...rest] = [...within, process.execPath, bin, ...args]
    const child = spawn(command, rest, {
      cwd,
      env: { ...process.env, GRAFT_CACHE: cache, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const timer =
      killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter)
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      onStdout?.(
        stdout,
        (signal) => child.kill(signal),
        () => child.stdout.destroy(),
      )
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve(outcomeOf({ code, stdout, stderr }))
    })
  })
}

export function outcomeOf(said: Pick<Outcome, 'code' | 'stdout' | 'stderr'>): Outcome {
  const complaints = said.stderr.split('\n').filter((line) => line !== '')
  const events = () =>
    said.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { ...said, complaints, events }
}

/** Trains a new last layer for one epoch: the quickest run that the other commands can work on. */
export function trainOnce(
  images: string,
  run: string,
  ...options: readonly string[]
): Promise<Outcome> {
  return graft(trainingOnce(images, run, options))
}

/** The arguments for that. */
export function trainingOnce(images: string, run: string, options: readonly string[]): string[] {
  const named = ['--scenario', 'small-similar', '--epochs', '1', '--out', run]
  return ['train', images, ...named, ...options]
}

/** Writes a dataset of encoded images as train/<class>/* and val/<class>/*. */
export async function writeDataset(folder: string, data: ArrayDataset): Promise<void> {
  for (const sample of [...data.train, ...data.val]) {
    const path = join(folder, sample.name)
    await mkdir(dirname(path), { recursive: true })
    if (sample.source instanceof Uint8Array) await writeFile(path, sample.source)
  }
}

/** A folder for one file of tests, with images of three classes in it. */
export class Workplace {
  readonly folder: string
  readonly photos: string

  private constructor(folder: string) {
    this.folder = folder
    this.photos = join(folder, 'photos')
  }

  /** @param each how many images of a class to train on, and to validate */
  static async make(each = { train: 4, val: 2 }): Promise<Workplace> {
    const place = new Workplace(await mkdtemp(join(tmpdir(), 'graft-cli-')))
    await writeDataset(place.photos, await drawnShapes(each))
    return place
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names)
  }

  /** A copy of the images that a test may spoil. */
  async spoiled(name: string, spoil: (path: string) => Promise<unknown>): Promise<string> {
    const path = this.path(name)
    await cp(this.photos, path, { recursive: true })
    await spoil(path)
    return path
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Puts half a JPEG among the circles to train on. */
export async function truncatedJpeg(root: string): Promise<void> {
  const noise = Buffer.from(
    Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 2654435761) >>> 24),
  )
  const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
    .jpeg()
    .toBuffer()
  await writeFile(join(root, 'train', 'circle', 'cut.jpg'), jpeg.subarray(0, jpeg.length / 2))
}
