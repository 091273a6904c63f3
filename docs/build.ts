/**
 * Builds the documentation's site into docs/.vitepress/dist: the pages of docs/ by VitePress, and
 * the reference of every public name by TypeDoc. Run it with `npm run docs`; `npm run docs -- dev`
 * serves the pages while they are written.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPackages } from '../bench/peers/install.ts'
import { type Color, colors } from '../src/look/tokens.ts'

const folder = import.meta.dirname
const root = join(folder, '..')
const [command = 'build'] = process.argv.slice(2)

const run = (...program: string[]) =>
  execFileSync(process.execPath, program, { cwd: root, stdio: 'inherit' })

/** TypeDoc's names for the colors that all pages of Graft have. */
const names: Readonly<Record<string, Color>> = {
  background: 'ground',
  'background-secondary': 'raised',
  'background-navbar': 'raised',
  'background-active': 'rule',
  accent: 'rule',
  'active-menu-item': 'rule',
  text: 'ink',
  'contrast-text': 'ink',
  'text-aside': 'quiet',
  link: 'accent',
  'focus-outline': 'accent',
}
const style = (['light', 'dark'] as const)
  .flatMap((scheme, i) =>
    Object.entries(names).map(([name, color]) => `--${scheme}-color-${name}:${colors[color][i]}`),
  )
  .join(';')

installPackages(folder, 'VitePress')
const temporary = mkdtempSync(join(tmpdir(), 'graft-reference-'))
const customCss = join(temporary, 'colors.css')
writeFileSync(customCss, `:root{${style}}`)
try {
  run(join(root, 'node_modules/typedoc/bin/typedoc'), '--customCss', customCss)
} finally {
  rmSync(temporary, { recursive: true })
}
run(join(folder, 'node_modules/vitepress/bin/vitepress.js'), command, folder)
if (command === 'build')
  console.log('the site is in docs/.vitepress/dist; npm run docs -- preview serves it here')
