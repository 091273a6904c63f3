import { render } from 'preact'
import { App } from './app.tsx'
import './colors.css'
import './style.css'
import './narrow.css'
import './see.css'
import './learn.css'

const root = document.getElementById('app')
if (root) render(<App />, root)
