#!/usr/bin/env node
// Starts the command line: from src/ in a clone, which needs no build, from dist/ in the installed
// package.
import { existsSync } from 'node:fs'
import module from 'node:module'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const source = new URL('./main.ts', import.meta.url)
const built = new URL('../../dist/cli/main.js', import.meta.url)

// From Node 22.1 on, what was compiled once is kept for the next start, which is a quarter faster.
module.enableCompileCache?.()

// Node's own warnings, such as those of experimental parts, are for those who ask.
if (!process.env.GRAFT_VERBOSE && !process.argv.includes('--verbose'))
  process.removeAllListeners('warning')

const other = process.versions.bun ? 'Bun' : process.versions.deno ? 'Deno' : null

if (other) {
  fail(`the command needs Node, and this is ${other}: 'npx graft-webgpu' runs it with Node`)
} else if (major < 20 || (major === 20 && minor < 9)) {
  fail(
    `Graft needs Node 20.9 or newer, and this is ${process.versions.node}: see https://nodejs.org`,
  )
} else {
  const entry = await findEntry()
  if (entry) await (await import(entry.href)).main(process.argv.slice(2))
}

async function findEntry() {
  if (existsSync(source)) {
    const tsx = await import('tsx/esm/api').catch(() => null)
    if (tsx) {
      // The clone's own settings, not those of a tsconfig.json in the folder where the command is
      // typed.
      const { fileURLToPath } = await import('node:url')
      tsx.register({ tsconfig: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)) })
      return source
    }
  }
  if (existsSync(built)) return built
  return fail(
    existsSync(source)
      ? "run 'npm ci' in Graft's folder first"
      : 'this copy has neither src/ nor dist/: install graft-webgpu again',
  )
}

function fail(message) {
  console.error(`graft: ${message}`)
  process.exitCode = 1
  return null
}
