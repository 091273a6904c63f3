/** Shows an image that has a dark form beside it in the form that fits the page's colors. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type MarkdownIt from 'markdown-it'

/**
 * A plugin for markdown-it: where `NAME.png` has a `NAME-dark.png` beside it, both stand on the
 * page, and its style hides one.
 * @param folder where the pages are
 */
export function pairImages(markdown: MarkdownIt, folder: string): void {
  const render = markdown.renderer.rules.image
  if (!render) throw new Error('this markdown-it renders no images')
  markdown.renderer.rules.image = (tokens, i, options, env, self) => {
    const source = tokens[i]?.attrGet('src') ?? ''
    const dark = source.replace(/\.\w+$/, '-dark$&')
    const paired = existsSync(join(folder, dark))
    const light = render(tokens, i, options, env, self)
    if (!paired) return light
    tokens[i]?.attrSet('src', dark.startsWith('.') ? dark : `./${dark}`)
    const other = render(tokens, i, options, env, self)
    // What is drawn has text: on a narrow screen it keeps its size, and scrolls.
    const drawn = /\.svg$/.test(source)
    const label = markdown.utils.escapeHtml(tokens[i]?.content ?? '')
    const scrolls = drawn ? ` tabindex="0" role="region" aria-label="${label}"` : ''
    const shown = (image: string, scheme: string) =>
      `<span class="in-${scheme}${drawn ? ' drawn' : ''}"${scrolls}>${image}</span>`
    return shown(light, 'light') + shown(other, 'dark')
  }
}
