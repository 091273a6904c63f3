import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * Servers for the tests of stores and queues, each on a port of its own on loopback, with its data
 * in a temporary folder: Redis or Valkey, PostgreSQL, and moto, which is a maintained S3 server in
 * Python that knows ranges, parts and conditional writes. .ci/run installs them where it can.
 */
export interface TestServer {
  readonly url: string
  /** Ends it as a crash would, and removes nothing. */
  kill(): Promise<void>
  /** Starts it again after `kill`, at the same address, with the data that it had. */
  start(): Promise<void>
  /** Ends it and removes its data. */
  stop(): Promise<void>
}

/** Where .ci/run puts Python packages. */
const pythonPackages = join(import.meta.dirname, '../../.ci/python')

const redis = program('redis-server') ?? program('valkey-server')
const initdb = program('initdb')
const postgres = program('postgres')

/** Which of the servers can be started here: tests of the others are skipped. */
export const present = {
  redis: redis !== null,
  postgres: initdb !== null && postgres !== null,
  s3: hasMoto(),
}

/** What is missing here, for people. */
export function missingServers(): string[] {
  return [
    ...(present.redis ? [] : ['Redis (redis-server or valkey-server)']),
    ...(present.postgres ? [] : ['PostgreSQL (postgresql)']),
    ...(present.s3 ? [] : ['S3 (the Python package moto[server])']),
  ]
}

export async function startRedis(): Promise<TestServer> {
  return started({
    command: redis ?? '',
    args: (port, folder) => [
      ...['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder],
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
      ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
    ],
    ready: /Ready to accept connections/,
    url: (port) => `redis://127.0.0.1:${port}`,
  })
}

export async function startPostgres(): Promise<TestServer> {
  const user = unprivileged()
  return started({
    command: postgres ?? '',
    prepare(folder) {
      const args = ['-D', folder, '-U', 'graft', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']
      execFileSync(initdb ?? '', args, { stdio: 'ignore', cwd: folder, ...user })
    },
    args: (port, folder) => [
      ...['-D', folder, '-h', '127.0.0.1', '-p', `${port}`, '-k', folder],
      ...['-c', 'synchronous_commit=on', '-c', 'max_connections=200'],
    ],
    ready: /ready to accept connections/,
    url: (port) => `postgres://graft@127.0.0.1:${port}/postgres`,
    user,
  })
}

/** An S3 server in memory. It takes any keys: see `s3Environment`. `kill` loses its objects. */
export async function startS3(): Promise<TestServer> {
  return started({
    command: 'python3',
    args: (port) => ['-m', 'moto.server', '-H', '127.0.0.1', '-p', `${port}`],
    ready: /Running on http/,
    url: (port) => `http://127.0.0.1:${port}`,
    environment: { PYTHONPATH: pythonPath() },
  })
}

/** What a program needs in its environment to reach a test's S3 server. */
export function s3Environment(url: string): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_S3: url,
  }
}

/** Makes a bucket: Graft itself makes none. */
export async function makeBucket(url: string, bucket: string): Promise<void> {
  const response = await fetch(`${url}/${bucket}`, { method: 'PUT' })
  if (!response.ok) throw new Error(`no bucket ${bucket}: ${response.status}`)
}

interface Program {
  readonly command: string
  readonly args: (port: number, folder: string) => string[]
  readonly prepare?: (folder: string) => void
  /** What it writes once it can be used. */
  readonly ready: RegExp
  readonly url: (port: number) => string
  readonly user?: { readonly uid?: number; readonly gid?: number }
  readonly environment?: Record<string, string>
}

async function started(program: Program): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'graft-server-'))
  const { uid, gid } = program.user ?? {}
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid)
  program.prepare?.(folder)
  const port = await freePort()
  let child: ChildProcess | null = null
  const kill = async () => {
    const running = child
    child = null
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    const ended = once(running, 'exit')
    running.kill('SIGKILL')
    await ended
  }
  const endWithUs = () => child?.kill('SIGKILL')
  const server: TestServer = {
    url: program.url(port),
    kill,
    async start() {
      for (let tries = 1; ; tries++) {
        const starting = spawn(program.command, program.args(port, folder), {
          stdio: ['ignore', 'pipe', 'pipe'],
          cwd: folder,
          env: { ...process.env, LC_ALL: 'C', ...program.environment },
          ...program.user,
        })
        child = starting
        try {
          return await readiness(starting, program)
        } catch (error) {
          // What PostgreSQL's parent process leaves when it is killed ends a moment after it.
          if (tries === 20 || !/still in use/.test(String(error))) throw error
          await new Promise((resolve) => setTimeout(resolve, 250))
        }
      }
    },
    async stop() {
      process.off('exit', endWithUs)
      await kill()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    },
  }
  process.on('exit', endWithUs)
  await server.start()
  return server
}

function readiness(child: ChildProcess, { command, ready }: Program): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const hear = (piece: Buffer) => {
      if (said.length < 100_000) said += piece.toString()
      if (ready.test(said)) resolve()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`${command} did not start: ${said.slice(-2000)}`)))
  })
}

/**
 * A port below those that systems give to whoever connects (from 32768 on Linux, 49152 elsewhere):
 * while a server is down, a client that tries again could get the server's own port, be connected
 * to itself, and keep the server from coming back.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(22_000 * Math.random())
    const server = createServer().listen(port, '127.0.0.1')
    const listening = once(server, 'listening') // rejects on an error
    const free = await listening.then(
      () => true,
      () => false,
    )
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Where a program is, on the path or where Debian puts PostgreSQL's. */
function program(name: string): string | null {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => +b - +a) : []
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ]
  return folders.map((folder) => join(folder, name)).find(existsSync) ?? null
}

function pythonPath(): string {
  const { PYTHONPATH = '' } = process.env
  return [pythonPackages, ...(PYTHONPATH ? [PYTHONPATH] : [])].join(delimiter)
}

function hasMoto(): boolean {
  const look =
    'import sys; from importlib.util import find_spec; ' +
    'sys.exit(not all(map(find_spec, ["moto", "flask", "flask_cors"])))'
  const env = { ...process.env, PYTHONPATH: pythonPath() }
  return spawnSync('python3', ['-c', look], { env, stdio: 'ignore' }).status === 0
}

/** PostgreSQL does not run as root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const idOf = (flag: string) =>
    ['postgres', 'nobody']
      .map((user) => spawnSync('id', [flag, user], { encoding: 'utf8' }))
      .find(({ status }) => status === 0)?.stdout
  return { uid: Number(idOf('-u')), gid: Number(idOf('-g')) }
}
