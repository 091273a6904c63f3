import { expect, test } from 'vitest'
import { invocation } from '../../src/cli/invocation.ts'

const npm = 'npm/11.19.1 node/v20.20.2 linux x64 workspaces/false'
const pnpm = 'pnpm/10.34.9 npm/? node/v20.20.2 linux x64'
const yarn = 'yarn/4.18.1 npm/? node/v20.20.2 linux x64'
const bun = 'bun/1.4.5 npm/? node/v26.3.0 linux x64'
const bin = 'node_modules/.bin/graft'
const file = 'node_modules/graft-webgpu/src/cli/graft.cjs'

// Scripts and agents as the package managers were seen to set them.
test.each([
  ['npx', `/root/.npm/_npx/0130/${bin}-webgpu`, npm, 'npx graft-webgpu'],
  ['npx, from the project', `/photos/${bin}`, npm, 'npx graft-webgpu'],
  ['pnpm exec', `/photos/node_modules/.pnpm/graft-webgpu@1/${file}`, pnpm, 'pnpm exec graft'],
  ['pnpm dlx', `/root/.cache/pnpm/dlx/6c8a/${file}`, pnpm, 'pnpm dlx graft-webgpu'],
  ['yarn', `/photos/${file}`, yarn, 'yarn graft'],
  ['yarn dlx', `/tmp/xfs-eaa5/dlx-12751/${file}`, yarn, 'yarn dlx graft-webgpu'],
  ['bunx', `/photos/${bin}-webgpu`, bun, 'bunx graft-webgpu'],
  ['the path in the project', `/photos/${bin}`, '', 'npx graft-webgpu'],
  ['a global install', '/usr/local/bin/graft', '', 'graft'],
  ['a global install in a script of npm', '/usr/local/bin/graft', npm, 'graft'],
  ['a global install on Windows', `/users/me/npm/${file}`, '', 'graft'],
  ['a clone', '/clone/src/cli/graft.js', '', 'node /clone/src/cli/graft.js'],
  ['a clone with a space', '/my clone/src/cli/graft.js', '', "node '/my clone/src/cli/graft.js'"],
  ['npm start in a clone', '/photos/src/cli/graft.js', npm, 'node src/cli/graft.js'],
  ['a program of another name', '/photos/mine.js', '', 'npx graft-webgpu'],
])('started by %s', (_, script, agent, words) => {
  expect(invocation({ script, folder: '/photos', agent })).toBe(words)
})

test('a folder whose name begins like the project’s is another one', () => {
  const start = { script: `/photos/${bin}`, folder: '/photos2', agent: '' }
  expect(invocation(start)).toBe('graft')
})
