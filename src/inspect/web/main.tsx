import { render } from 'preact'
import { keepQuantities } from '../../look/quantities.ts'
import { App } from './app.tsx'
import './colors.css'
import './style.css'
import './see.css'
import './learn.css'
import './narrow.css'

keepQuantities()

const root = document.getElementById('app')
if (root) render(<App />, root)
