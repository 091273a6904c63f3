/**
 * Every command and every program of README and docs is played, page by page, in a folder of its
 * own. The packed package and the full trainings are played by test/long/firstHour.ts; here a
 * training has two epochs and a comparison one second (`quick`), images are few and small, the
 * package is compiled without being packed, and what would be downloaded comes from a server here.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { compiledCommand } from '../support/compiled.ts'
import { type Block, commandsOf, readPages } from './blocks.ts'
import type { Played, Step } from './player.ts'

const root = join(import.meta.dirname, '..', '..')
const pages = await readPages()
const played = pages.filter(({ blocks }) =>
  blocks.some(({ language }) => /^(sh|ts)$/.test(language)),
)
const scripts: Readonly<Record<string, string>> = manifest.scripts

let folder = ''
let player: ChildProcess

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-docs-'))
  const start = join(folder, 'place')
  await mkdir(start)
  const packageFolder = join(dirname(await compiledCommand()), '..', '..')
  const tsx = createRequire(import.meta.url).resolve('tsx')
  player = fork(join(import.meta.dirname, 'player.ts'), [packageFolder], {
    cwd: start,
    execArgv: ['--import', pathToFileURL(tsx).href],
    env: { ...process.env, GRAFT_CACHE: join(folder, 'cache'), XDG_CONFIG_HOME: folder },
  })
  await succeed({ kind: 'prepare', folder: start })
})
afterAll(async () => {
  player?.kill()
  await rm(folder, { recursive: true, force: true })
})

function play(step: Step): Promise<Played> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null) => reject(new Error(`the player ended with ${code}`))
    player.once('exit', gone)
    player.once('message', (played) => {
      player.off('exit', gone)
      resolve(played as Played)
    })
    player.send(step)
  })
}

/** Options that make a command short, in place of those that a page gives. */
const quick: Readonly<Record<string, readonly string[]>> = {
  train: ['--epochs', '2'],
  report: ['--top-losses', '1'],
  compare: ['--seconds', '1'],
  demo: ['--each', '2', '--seconds', '1'],
}
/** A search for a rate takes a hundred steps, whatever an epoch has. */
const quickSearch = ['--batch-size', '4']

/** These begin with a narrow network, unless a page says with which, or goes on with a run. */
const beginning = ['train', 'compare', 'lr-find', 'sweep', 'reproduce']
const begun = ['--weights', '--variant', '--resume']

/** The words after `graft`, shortened. */
function shortened(args: readonly string[]): string[] {
  const command = args[0] ?? ''
  const searches = command === 'lr-find' || args.includes('find')
  const begins = beginning.includes(command) && !args.some((word) => begun.includes(word))
  const options = [
    ...(quick[command] ?? []),
    ...(searches ? quickSearch : []),
    ...(begins ? ['--weights', join(folder, 'place', 'checkpoint.pth')] : []),
  ]
  const names = options.filter((_, i) => i % 2 === 0)
  const kept = args.filter((word, i) => {
    return !names.includes(word) && !names.includes(args[i - 1] ?? '')
  })
  return [...kept, ...options]
}

/** Where a page's commands run. */
interface Place {
  folder: string
}

/** Plays one command, or looks whether it exists where it is not for a test to run. */
async function playCommand(words: readonly string[], place: Place): Promise<void> {
  const [program, verb = '', name = ''] = words
  const { folder } = place
  switch (`${program} ${verb}`) {
    case 'npx graft-webgpu':
    case 'node src/cli/graft.js':
      // The page that `web` serves is built with the package: test/browser/web.test.ts opens it.
      if (name === 'web') return succeed({ kind: 'parse', args: words.slice(2) })
      return succeed({ kind: 'graft', args: shortened(words.slice(2)), folder })
    case 'npx tsx':
      return succeed({ kind: 'program', file: join(folder, name), folder })
  }
  if (program === 'mkdir') await mkdir(join(folder, verb))
  else if (program === 'cd') place.folder = join(folder, verb)
  else expectKnown(words)
}

/** What the machine has, its shell or a cluster: it is neither Graft nor npm. */
const ofTheMachine = ['docker', 'done', 'export', 'for', 'python3', 'sbatch', 'sudo']

/** A command that is not played here: its script exists, or npm or the machine has it. */
function expectKnown([program, verb = '', name = '']: readonly string[]): void {
  const script =
    program === 'npm' && (verb === 'run' ? name : ['test', 'start'].includes(verb) && verb)
  if (script) expect(scripts).toHaveProperty([script])
  else if (!ofTheMachine.includes(program ?? ''))
    expect(
      ['npm ci', 'npm init', 'npm pkg', 'npm install', 'node --import', '.ci/run '],
      'nothing knows how to play it',
    ).toContain(`${program} ${verb}`)
}

async function succeed(step: Step): Promise<void> {
  const { code, stdout, stderr } = await play(step)
  const what = 'args' in step ? step.args.join(' ') : step.kind
  expect(code, `${what}\n${stdout}\n${stderr}`).toBe(0)
}

/** What the compiler says of all programs, as if each were a file beside the examples. */
function typeErrors(blocks: readonly Block[]): string[] {
  const programs = new Map(
    blocks
      .filter(({ language, mark }) => language === 'ts' && !mark?.startsWith('not run'))
      .map(({ place, text }, i) => [join(root, 'examples', `page-${i}.ts`), { place, text }]),
  )
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  options.lib = [...(options.lib ?? []), 'lib.dom.iterable.d.ts'] // as in Vite's templates
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (path) => programs.has(path) || fileExists(path)
  host.readFile = (path) => programs.get(path)?.text ?? readFile(path)
  const program = ts.createProgram([...programs.keys()], options, host)
  return [...programs].flatMap(([path, { place }]) => {
    const source = program.getSourceFile(path)
    const found = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]
    return found.map(
      ({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
  })
}

/**
 * Plays a block of a page. Of a command that is marked, or that only root may run, its words are
 * read as the command does.
 */
async function playBlock(block: Block, place: Place, number: number): Promise<void> {
  const { language, mark, file, text } = block
  if (language === 'sh')
    for (const words of commandsOf(text)) {
      const start = words.findIndex((word) => /^graft-webgpu$|graft\.js$/.test(word))
      if (!mark && words[0] !== 'sudo') await playCommand(words, place)
      else if (start >= 0 && words[1] !== 'install')
        await succeed({ kind: 'parse', args: words.slice(start + 1) })
      else expectKnown(words)
    }
  if (language !== 'ts' || mark) return
  const path = join(place.folder, file ?? `program-${number}.ts`)
  await writeFile(path, text.replaceAll(/epochs: \d+/g, 'epochs: 1'))
  // A program with a name is run by the command that the page gives.
  if (!file) await succeed({ kind: 'program', file: path, folder: place.folder })
}

describe('what the docs tell the reader to do works', () => {
  test.each(played)('$path', { timeout: 300_000 }, async ({ path, blocks }) => {
    const place = { folder: join(folder, path.replaceAll('/', '-')) }
    await cp(join(folder, 'place'), place.folder, { recursive: true, verbatimSymlinks: true })
    await writeFile(join(place.folder, 'package.json'), '{ "type": "module" }')
    for (const [i, block] of blocks.entries())
      await playBlock(block, place, i).catch((error: Error) => {
        error.message = `${block.place}: ${error.message}`
        throw error
      })
  })

  test('every program is typed, also those for a browser', () => {
    expect(typeErrors(pages.flatMap(({ blocks }) => blocks))).toEqual([])
  })

  test('every page of the site has something to run', () => {
    const without = pages.filter((page) => !played.includes(page)).map(({ path }) => path)
    expect(without).toEqual([])
  })
})
