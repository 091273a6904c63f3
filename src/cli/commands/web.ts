import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { type Answers, serveLocally } from '../../inspect/node/localServer.ts'
import { untilStopped } from '../interrupt.ts'
import { number } from '../options.ts'
import { Output } from '../output.ts'

export function addWeb(command: Command): void {
  command
    .option(
      '--port <n>',
      'the port to serve it on (default: a free one)',
      number({ integer: true, min: 0, max: 65_535 }),
      0,
    )
    .option('--json', 'print one JSON event a line')
    .addHelpText(
      'after',
      `
Examples:
  npx graft-webgpu web
  npx graft-webgpu web --port 8080`,
    )
    .action(run)
}

interface WebOptions {
  readonly port: number
  readonly json?: boolean
}

async function run({ port, json }: WebOptions): Promise<void> {
  const output = new Output(json)
  const fromSource = import.meta.url.endsWith('.ts')
  const { url, close } = await serveLocally(fromSource ? buildPage : builtPage, port)
  const stopped = untilStopped()
  output.event({ type: 'open', url })
  output.labeled('open', `${url} in a browser with WebGPU; until Ctrl-C`)
  await stopped
  close()
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

/** What the page needs; its own policy, which any file server can send, is narrower. */
const policy =
  "default-src 'self'; worker-src 'self' blob:; img-src 'self' blob: data:; " +
  "style-src 'self' 'unsafe-inline'"

/** The page in the npm package, and the weights at the package's root. Nothing else is served. */
async function builtPage(): Promise<Answers> {
  const files = new Map<string, URL>()
  for (const [folder, prefix] of [
    [new URL('../../web/', import.meta.url), '/'],
    [new URL('../../../weights/', import.meta.url), '/weights/'],
  ] as const)
    for (const name of await readdir(folder, { recursive: true })) {
      const path = name.replaceAll('\\', '/')
      if (extname(path)) files.set(prefix + path, new URL(path, folder))
    }
  return answering(files, (file) => readFile(file))
}

/** In a clone the page is built from source, in memory. */
async function buildPage(): Promise<Answers> {
  const { build } = await import('vite')
  const configFile = fileURLToPath(new URL('../../web/vite.config.ts', import.meta.url))
  const built = await build({ configFile, logLevel: 'warn', build: { write: false } })
  const files = new Map<string, string | Uint8Array>()
  for (const { output } of [built].flat().flatMap((one) => ('output' in one ? [one] : [])))
    for (const file of output)
      files.set(`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source)
  return answering(files, async (content) => content)
}

function answering<T>(
  files: ReadonlyMap<string, T>,
  read: (file: T) => Promise<string | Uint8Array>,
): Answers {
  return async (path) => {
    const name = path === '/' ? '/index.html' : path
    const file = files.get(name)
    if (file === undefined) return null
    const type = types[extname(name)] ?? 'application/octet-stream'
    return { type, body: await read(file), ...(extname(name) === '.html' ? { policy } : {}) }
  }
}
