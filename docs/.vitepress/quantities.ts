/** Keeps a number and its unit in one line, as on Graft's own pages. */
import type MarkdownIt from 'markdown-it'
import { quantity } from '../../src/look/quantities.ts'

const every = new RegExp(quantity, 'gu')

/** A plugin for markdown-it: the space between a number and its unit does not break. */
export function keepQuantities(markdown: MarkdownIt): void {
  markdown.core.ruler.push('quantities', ({ tokens }) => {
    for (const { children } of tokens)
      for (const token of children ?? [])
        if (token.type === 'text')
          token.content = token.content.replace(every, (found) => found.replace(' ', '\u00a0'))
  })
}
