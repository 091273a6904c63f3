/** Links each term of the glossary where it first appears on a page. */
import type MarkdownIt from 'markdown-it'

type State = Parameters<Parameters<MarkdownIt['core']['ruler']['push']>[1]>[0]
type Token = State['tokens'][number]

/** A term with the other words for it, all in lower case, and its place in the glossary. */
export interface Term {
  readonly words: readonly string[]
  readonly anchor: string
}

/** What a heading of the glossary is called in an address. */
const anchorOf = (word: string) => word.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')

/**
 * The terms of the glossary: its third-level headings. A heading may give several words for one
 * thing, separated by commas.
 * @param page the text of glossary.md
 */
export function termsOf(page: string): Term[] {
  return [...page.matchAll(/^### (.+?)(?: \{#(.+)\})?$/gm)].map(([, heading = '', id]) => {
    const words = heading.split(',').map((word) => word.trim().toLowerCase())
    return { words, anchor: id ?? anchorOf(words.join('-')) }
  })
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Finds the words of all terms, the longest first, also in the plural. */
function patternOf(terms: readonly Term[]): RegExp {
  const words = terms.flatMap((term) => term.words).sort((a, b) => b.length - a.length)
  return new RegExp(`(?<![\\w-])(${words.map(escaped).join('|')})(?:e?s)?(?![\\w-])`, 'gi')
}

/**
 * A plugin for markdown-it. Headings, links, code and the glossary itself stay as they are.
 * @param page the text of glossary.md
 */
export function linkTerms(markdown: MarkdownIt, page: string): void {
  const terms = termsOf(page)
  const byWord = new Map(terms.flatMap((term) => term.words.map((word) => [word, term] as const)))
  const pattern = patternOf(terms)

  markdown.core.ruler.push('glossary', (state: State) => {
    const { relativePath = '' } = state.env as { relativePath?: string }
    if (relativePath === 'glossary.md') return
    const seen = new Set<Term>()
    let inHeading = false
    for (const token of state.tokens) {
      if (token.type === 'heading_open') inHeading = true
      if (token.type === 'heading_close') inHeading = false
      if (token.type !== 'inline' || inHeading || !token.children) continue
      let links = 0
      token.children = token.children.flatMap((child) => {
        if (child.type === 'link_open') links++
        if (child.type === 'link_close') links--
        return child.type === 'text' && links === 0 ? linked(state, child, seen) : [child]
      })
    }
  })

  function linked(state: State, text: Token, seen: Set<Term>): Token[] {
    const made: Token[] = []
    const add = (type: string, tag: string, nesting: -1 | 0 | 1, content = '') => {
      const token = new state.Token(type, tag, nesting)
      token.content = content
      token.level = text.level
      made.push(token)
      return token
    }
    let from = 0
    for (const { 0: found, 1: word = '', index } of text.content.matchAll(pattern)) {
      const term = byWord.get(word.toLowerCase())
      if (!term || seen.has(term)) continue
      seen.add(term)
      if (index > from) add('text', '', 0, text.content.slice(from, index))
      const open = add('link_open', 'a', 1)
      open.attrSet('href', `./glossary.md#${term.anchor}`)
      open.attrSet('class', 'term')
      add('text', '', 0, found)
      add('link_close', 'a', -1)
      from = index + found.length
    }
    if (from < text.content.length) add('text', '', 0, text.content.slice(from))
    return made
  }
}
