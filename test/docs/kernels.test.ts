import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { expandShader } from '../../src/gpu/kernels/expand.ts'
import { nodeHost } from '../../src/nodeHost.ts'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/kernels.md', root), 'utf8')

test('docs/kernels.md prints the tile that contract/tile.wgsl expands to', async () => {
  const [, printed] = /```wgsl\n([\s\S]*?)\n```/.exec(page) ?? []
  const [, named = ''] = /expanded for `([^`]+)`/.exec(page) ?? []
  const constants = Object.fromEntries(
    named.split(', ').map((one): [string, number] => {
      const [name = '', value] = one.split(' ')
      return [name, Number(value)]
    }),
  )
  const { code } = expandShader(await nodeHost.readShaders(), 'contract/tile.wgsl', {
    ...constants,
    INTERLEAVED: 1,
    Y_IS_VEC4: 0,
  })
  expect(printed).toBe(code.slice(code.indexOf('@compute')).trimEnd())
})

test('the files that docs/kernels.md names exist', () => {
  const paths = page.match(/`(?:src|shaders|bench)\/[\w./]+`/g) ?? []
  expect(paths.length).toBeGreaterThan(10)
  for (const path of paths) expect(existsSync(new URL(path.slice(1, -1), root)), path).toBe(true)
})
