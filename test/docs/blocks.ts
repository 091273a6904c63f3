/** The code blocks of README and of the pages of docs/, as a reader meets them. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import MarkdownIt from 'markdown-it'

const root = join(import.meta.dirname, '..', '..')

export interface Block {
  /** The page's path from the root, and the line where the block starts, as editors count. */
  readonly place: string
  readonly language: string
  /** The file that the page says to save it as: `ts [first.ts]`. */
  readonly file: string | null
  readonly text: string
  /** A comment right before it: `<!-- not run: the reason -->`, `<!-- in a browser -->`. */
  readonly mark: string | null
}

export interface Page {
  readonly path: string
  readonly text: string
  readonly blocks: readonly Block[]
}

/** The blocks of one page. */
export function blocksOf(path: string, text: string): Block[] {
  const tokens = new MarkdownIt({ html: true }).parse(text, {})
  return tokens.flatMap(({ type, info, content, map }, i) => {
    if (type !== 'fence') return []
    const [language = '', file] = info.split(/\s+/)
    const before = tokens[i - 1]
    const comment = before?.type === 'html_block' && /^<!-- (.*?) -->\s*$/s.exec(before.content)
    return [
      {
        place: `${path}:${(map?.[0] ?? Number.NaN) + 1}`,
        language,
        file: /^\[(.+)\]$/.exec(file ?? '')?.[1] ?? null,
        text: content,
        mark: comment ? (comment[1] ?? null) : null,
      },
    ]
  })
}

/** README, CONTRIBUTING and every page of the site. */
export async function readPages(): Promise<Page[]> {
  const inDocs = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).sort()
  const paths = ['README.md', 'CONTRIBUTING.md', ...inDocs.map((name) => `docs/${name}`)]
  return Promise.all(
    paths.map(async (path) => {
      const text = await readFile(join(root, path), 'utf8')
      return { path, text, blocks: blocksOf(path, text) }
    }),
  )
}

/**
 * The commands of a shell block, each as its words. It knows what the pages use: comments, quotes,
 * lines that go on after a backslash, and `&&`.
 */
export function commandsOf(text: string): string[][] {
  const commands: string[][] = []
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    let words: string[] = []
    for (const [, comment, single, double, bare] of line.matchAll(
      /(#.*)|'([^']*)'|"([^"]*)"|([^\s'"]+)/g,
    )) {
      if (comment !== undefined) break
      if (bare === '&&') {
        commands.push(words)
        words = []
      } else words.push(single ?? double ?? bare ?? '')
    }
    if (words.length > 0) commands.push(words)
  }
  return commands
}
