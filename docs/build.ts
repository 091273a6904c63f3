/**
 * Builds the documentation's site into docs/.vitepress/dist: the pages of docs/ by VitePress, and
 * the reference of every public name by TypeDoc. Run it with `npm run docs`; `npm run docs -- dev`
 * serves the pages while they are written.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { installPackages } from '../bench/peers/install.ts'

const folder = import.meta.dirname
const root = join(folder, '..')
const [command = 'build'] = process.argv.slice(2)

const run = (...program: string[]) =>
  execFileSync(process.execPath, program, { cwd: root, stdio: 'inherit' })

installPackages(folder, 'VitePress')
run(join(root, 'node_modules/typedoc/bin/typedoc'))
run(join(folder, 'node_modules/vitepress/bin/vitepress.js'), command, folder)
if (command === 'build')
  console.log('the site is in docs/.vitepress/dist; npm run docs -- preview serves it here')
