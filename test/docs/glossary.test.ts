import MarkdownIt from 'markdown-it'
import { expect, test } from 'vitest'
import { linkTerms, termsOf } from '../../docs/.vitepress/glossary.ts'

const page = `# Glossary
### frozen, freeze
Kept.
### batch
Some images.
### batch size
How many.
### class, label {#class}
A word.
`
const render = (text: string, relativePath = 'page.md') => {
  const markdown = new MarkdownIt()
  linkTerms(markdown, page)
  return markdown.render(text, { relativePath })
}
const link = (anchor: string, text: string) =>
  `<a href="./glossary.md#${anchor}" class="term">${text}</a>`

test('the terms of the glossary are its headings, with all their words', () => {
  expect(termsOf(page)).toEqual([
    { words: ['frozen', 'freeze'], anchor: 'frozen-freeze' },
    { words: ['batch'], anchor: 'batch' },
    { words: ['batch size'], anchor: 'batch-size' },
    { words: ['class', 'label'], anchor: 'class' },
  ])
})

test.each<[string, string, string]>([
  ['the first place alone', 'A batch, a batch.', `<p>A ${link('batch', 'batch')}, a batch.</p>\n`],
  [
    'once for all words of a term',
    'Frozen. *Freeze* it.',
    `<p>${link('frozen-freeze', 'Frozen')}. <em>Freeze</em> it.</p>\n`,
  ],
  ['the longest words', 'The batch size.', `<p>The ${link('batch-size', 'batch size')}.</p>\n`],
  ['plurals', 'Classes.', `<p>${link('class', 'Classes')}.</p>\n`],
  ['no parts of words', 'Subclass, classy, class-like.', '<p>Subclass, classy, class-like.</p>\n'],
  [
    'no heading, code or other link',
    '# Batch\n`batch` [batch](x) batch',
    `<h1>Batch</h1>\n<p><code>batch</code> <a href="x">batch</a> ${link('batch', 'batch')}</p>\n`,
  ],
])('it links %s', (_, text, html) => {
  expect(render(text)).toBe(html)
})

test('it links nothing on its own page', () => {
  expect(render('A batch.', 'glossary.md')).toBe('<p>A batch.</p>\n')
})
