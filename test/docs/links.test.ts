/** What README and the pages point at exists: files, images, and places on pages. */
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import MarkdownIt from 'markdown-it'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const inDocs = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'))
const paths = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...inDocs.map((name) => `docs/${name}`),
]
const texts = new Map(
  await Promise.all(
    paths.map(async (path) => [path, await readFile(join(root, path), 'utf8')] as const),
  ),
)

/** The places of a page that a link may name, as GitHub and VitePress name them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s-]/gu, '')
      .replaceAll(/\s+/g, '-'),
  )
}

/** Everything that a page links to or shows, in Markdown and in HTML. */
function targetsOf(text: string): string[] {
  const html = new MarkdownIt({ html: true }).render(text)
  const found = html.replaceAll(/<pre>.*?<\/pre>/gs, '').matchAll(/(?:href|src|srcset)="([^"]+)"/g)
  return [...found].map(([, target = '']) => decodeURI(target))
}

test.each(paths)('%s', (path) => {
  const missing = targetsOf(texts.get(path) ?? '').filter((target) => {
    if (/^(https?:|\/api\/)/.test(target)) return false
    const [file = '', anchor] = target.split('#')
    const full = file === '' ? path : join(dirname(path), file)
    if (!existsSync(join(root, full))) return true
    return anchor !== undefined && !anchorsOf(texts.get(full) ?? '').includes(anchor)
  })
  expect(missing).toEqual([])
})

test('every page of docs is in the menu', async () => {
  const config = await readFile(join(root, 'docs/.vitepress/config.ts'), 'utf8')
  const linked = [...config.matchAll(/'\/([\w-]+)'/g)].map(([, name]) => `${name}.md`)
  expect(inDocs.filter((name) => name !== 'index.md' && !linked.includes(name))).toEqual([])
})

test('README has at most 6 KB', async () => {
  expect((await stat(join(root, 'README.md'))).size).toBeLessThanOrEqual(6 * 1024)
})
