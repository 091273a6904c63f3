import { render } from 'preact'
import { App } from './app.tsx'
import { openTrainer } from './remote.ts'
import '../inspect/web/colors.css'
import './style.css'
import './results.css'

const root = document.getElementById('app')
if (root) render(<App {...openTrainer()} />, root)
