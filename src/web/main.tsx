import { render } from 'preact'
import { keepQuantities } from '../look/quantities.ts'
import { sectionStyle } from '../report/sections/style.ts'
import { App } from './app.tsx'
import { openTrainer } from './remote.ts'
import './style.css'
import './collect.css'
import './results.css'
import './print.css'

keepQuantities()

const style = document.createElement('style')
style.textContent = sectionStyle
document.head.prepend(style)

const root = document.getElementById('app')
if (root) render(<App {...openTrainer()} />, root)
