import { render } from 'preact'
import { App } from './app.tsx'
import './colours.css'
import './style.css'
import './narrow.css'

const root = document.getElementById('app')
if (root) render(<App />, root)
