#!/usr/bin/env node
// Starts the command line: from src/ in a clone, which needs no build, from dist/ in the installed package.
import { existsSync } from 'node:fs'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const source = new URL('../src/cli/main.ts', import.meta.url)
const built = new URL('../dist/cli/main.js', import.meta.url)

if (major < 20 || (major === 20 && minor < 9)) {
  console.error(`graft: Node 20.9 or newer is needed, this is ${process.versions.node}`)
  process.exitCode = 1
} else if (existsSync(source)) {
  const { register } = await import('tsx/esm/api')
  register()
  await import(source.href)
} else if (existsSync(built)) {
  await import(built.href)
} else {
  console.error('graft: this copy is incomplete: it has neither src/ nor dist/; install graft-webgpu again')
  process.exitCode = 1
}
