/**
 * The first hour of somebody who has only the packed package: README's commands and its program, in
 * order and as they stand there, in an empty folder with some emoji as images. Run it with
 * `npm run first-hour`; it writes a transcript, to be read as a stranger would, and fails where a
 * command fails. `npm run first-hour -- FILE` names the transcript's file.
 */
import { spawn } from 'node:child_process'
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import sharp from 'sharp'
import { openEmoji } from '../../src/data/emoji.ts'
import { blocksOf, commandsOf } from '../docs/blocks.ts'

const root = join(import.meta.dirname, '..', '..')
const transcript = resolve(process.argv[2] ?? 'first-hour.txt')
/** Classes of the emoji that stand for photographs of one's own. */
const classes = ['animal', 'clock', 'food', 'vehicle']

const folder = await mkdtemp(join(tmpdir(), 'graft-first-hour-'))
try {
  await writeFile(transcript, '')
  await installPackage()
  await placeImages()
  await playReadme()
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** Packs this checkout and installs it, as `npm install graft-webgpu` will do. */
async function installPackage(): Promise<void> {
  const packed = await mkdtemp(join(tmpdir(), 'graft-packed-'))
  await run('npm', ['pack', '--silent', '--pack-destination', packed], root)
  const [tarball = ''] = await readdir(packed)
  await run('npm', ['init', '-y'], folder)
  await run('npm', ['pkg', 'set', 'type=module'], folder)
  // SwiftShader for machines without a GPU, and what runs TypeScript.
  const others = ['@sparticuz/chromium@143', 'tsx']
  await play('npm', ['install', '--no-audit', '--no-fund', join(packed, tarball), ...others])
  await rm(packed, { recursive: true })
}

async function placeImages(): Promise<void> {
  const { train, val } = await openEmoji()
  for (const { source, name } of [...train, ...val]) {
    if (typeof source !== 'string' || !classes.includes(dirname(name))) continue
    await mkdir(join(folder, 'photos', dirname(name)), { recursive: true })
    await copyFile(source, join(folder, 'photos', name))
  }
  const cat = join(folder, 'photos', 'animal')
  const [first = ''] = await readdir(cat)
  await sharp(join(cat, first))
    .flatten({ background: 'white' })
    .jpeg()
    .toFile(join(folder, 'cat.jpg'))
}

async function playReadme(): Promise<void> {
  const blocks = blocksOf('README.md', await readFile(join(root, 'README.md'), 'utf8'))
  for (const { language, text } of blocks) {
    if (language === 'sh')
      // What begins with npm is for a clone.
      for (const [program = '', ...args] of commandsOf(text))
        if (program === 'npx') await play(program, args)
    if (language === 'ts') {
      await writeFile(join(folder, 'first.ts'), text)
      await play('npx', ['tsx', 'first.ts'])
    }
  }
}

/** Runs a command of the reader's, and writes what was typed and what was seen. */
async function play(program: string, args: readonly string[]): Promise<void> {
  const begun = Date.now()
  const typed = [program, ...args.map((word) => (word.startsWith('/') ? basename(word) : word))]
  const { code, text } = await run(program, args, folder)
  const seconds = ((Date.now() - begun) / 1000).toFixed(1)
  const entry = `$ ${typed.join(' ')}\n${text}[${seconds} s, exit code ${code}]\n\n`
  await appendFile(transcript, entry)
  process.stdout.write(entry)
  if (code !== 0) throw new Error(`${typed.join(' ')} failed: see ${transcript}`)
}

function run(program: string, args: readonly string[], cwd: string) {
  return new Promise<{ code: number | null; text: string }>((done, fail) => {
    // A process group of its own: Ctrl-C reaches what npx started, too.
    const child = spawn(program, args, { cwd, detached: true })
    let text = ''
    let served = false
    const hear = (chunk: Buffer) => {
      text += chunk
      // A page is served until Ctrl-C.
      if (served || !/until Ctrl-C/.test(text) || !child.pid) return
      served = true
      process.kill(-child.pid, 'SIGINT')
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.on('error', fail)
    child.on('close', (code) => done({ code: served ? 0 : code, text }))
  })
}
