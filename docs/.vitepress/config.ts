import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type MarkdownIt from 'markdown-it'
import { defineConfig } from 'vitepress'
import { favicon, markSvg } from '../../src/look/mark.ts'
import { type Color, colors } from '../../src/look/tokens.ts'
import { linkTerms } from './glossary.ts'
import { pairImages } from './images.ts'
import { keepQuantities } from './quantities.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const glossary = readFileSync(join(folder, 'glossary.md'), 'utf8')

/** A menu of pages, each with its title and the name of its file. */
const menu = (text: string, pages: Readonly<Record<string, string>>) => ({
  text,
  items: Object.entries(pages).map(([name, link]) => ({ text: name, link })),
})

/** VitePress's names for the colors that all pages of Graft have. */
const names: Readonly<Record<string, Color>> = {
  'vp-c-bg': 'ground',
  'vp-c-bg-alt': 'raised',
  'vp-c-bg-soft': 'raised',
  'vp-c-bg-elv': 'raised',
  'vp-c-text-1': 'ink',
  'vp-c-text-2': 'quiet',
  'vp-c-text-3': 'quiet',
  'vp-c-divider': 'rule',
  'vp-c-border': 'rule',
  'vp-c-gutter': 'rule',
  'vp-c-brand-1': 'accent',
  'vp-c-brand-2': 'accent',
  'vp-c-brand-3': 'accent',
  'vp-button-alt-bg': 'raised',
  'vp-button-alt-hover-bg': 'rule',
  'vp-button-alt-active-bg': 'rule',
  'vp-button-alt-text': 'ink',
  'vp-button-alt-hover-text': 'ink',
  'vp-button-alt-active-text': 'ink',
  'vp-button-brand-bg': 'accent',
  'vp-button-brand-hover-bg': 'accent',
  'vp-button-brand-active-bg': 'accent',
  'vp-button-brand-text': 'on-accent',
  'vp-button-brand-hover-text': 'on-accent',
  'vp-button-brand-active-text': 'on-accent',
}
/** `html` makes them weigh more than the theme's own. */
const style = [':root', '.dark'].map((selector, scheme) => {
  const lines = Object.entries(names).map(([name, color]) => `--${name}:${colors[color][scheme]}`)
  return `html${selector}{${lines.join(';')}}`
})
const logo = (scheme: 'light' | 'dark') =>
  `data:image/svg+xml,${encodeURIComponent(markSvg(scheme))}`

export default defineConfig({
  title: 'Graft',
  description: 'Transfer learning on WebGPU, from scratch, in TypeScript.',
  lang: 'en-US',
  // A site under a path, such as GitHub's pages of a project, names it here.
  base: process.env.DOCS_BASE ?? '/',
  srcExclude: ['node_modules/**'],
  // The reference is written by TypeDoc, beside the pages of this site.
  ignoreDeadLinks: [/^\/api\//],
  markdown: {
    // Comments in code have the contrast of text in these.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config: (markdown) => {
      linkTerms(markdown as MarkdownIt, glossary)
      pairImages(markdown as MarkdownIt, folder)
      keepQuantities(markdown as MarkdownIt)
    },
  },
  head: [
    ['link', { rel: 'icon', href: favicon }],
    ['style', {}, style.join('')],
  ],
  themeConfig: {
    logo: { light: logo('light'), dark: logo('dark') },
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Tutorial', link: '/learn-ml' },
      { text: 'Recipes', link: '/recipes' },
      { text: 'Reference', link: '/api/index.html', target: '_self' },
    ],
    sidebar: [
      menu('Start here', {
        'New to machine learning': '/learn-ml',
        'New to TypeScript': '/learn-typescript',
        'Questions and answers': '/faq',
        Glossary: '/glossary',
      }),
      menu('Use it', {
        'Your images': '/images',
        'Train and read the results': '/training',
        'The four situations': '/scenarios',
        Recipes: '/recipes',
        Datasets: '/datasets',
        'Weights in and out': '/weights',
        'Look inside': '/inspector',
        'In the browser': '/browser',
        'From TypeScript': '/programs',
        'Where it runs': '/runtimes',
        'Many machines': '/cluster',
      }),
      menu('How it works', {
        Architecture: '/architecture',
        'The fast kernels': '/kernels',
        'Add an operator': '/add-an-operator',
        Benchmarks: '/benchmarks',
      }),
    ],
  },
})
