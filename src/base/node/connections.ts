import { Agent, type Dispatcher, interceptors, ProxyAgent } from 'undici'

const maxRedirections = 20

/** How requests leave this machine. */
interface Connections {
  readonly dispatcher: Dispatcher
  /** Breaks off what is still open. */
  close(): Promise<void>
}

/** Connections through the proxies that the environment names, and how to close them. */
export function connect(idle: number): Connections {
  const timeouts = { headersTimeout: idle, bodyTimeout: idle, connectTimeout: idle }
  const direct = new Agent(timeouts)
  const proxied = (proxy: string | undefined): Dispatcher =>
    proxy ? new ProxyAgent({ ...timeouts, uri: proxy, proxyTunnel: false }) : direct
  const http = proxied(variable('http_proxy') || variable('all_proxy'))
  const https = proxied(variable('https_proxy') || variable('all_proxy'))
  // Applied to every redirect, which may lead to the other scheme or to a host in NO_PROXY.
  const byOrigin: Dispatcher.DispatcherComposeInterceptor = () => (options, handler) => {
    const origin = new URL(String(options.origin))
    const agent = origin.protocol === 'https:' ? https : http
    return (isExempt(origin) ? direct : agent).dispatch(options, handler)
  }
  return {
    dispatcher: direct.compose(byOrigin, interceptors.redirect({ maxRedirections })),
    close: async () => {
      await Promise.all([...new Set([direct, http, https])].map((agent) => agent.destroy()))
    },
  }
}

/** An environment variable, in small letters or capitals. */
function variable(name: string): string | undefined {
  return process.env[name] || process.env[name.toUpperCase()]
}

/**
 * Whether NO_PROXY lists an address: by its host, by the end of its host ('.org', '*.org'), or by
 * '*', each with a port or without. undici's EnvHttpProxyAgent would do this too, but version 6
 * prints a warning that it is experimental.
 */
function isExempt({ protocol, hostname, port }: URL): boolean {
  const usedPort = port || (protocol === 'https:' ? '443' : '80')
  const entries = (variable('no_proxy') || '').toLowerCase().split(/[\s,]+/)
  return entries.some((entry) => {
    const onlyPort = /:(\d+)$/.exec(entry)?.[1]
    if (onlyPort !== undefined && onlyPort !== usedPort) return false
    const host = entry.replace(/:\d+$/, '')
    return /^[.*]/.test(host) ? hostname.endsWith(host.replace('*', '')) : hostname === host
  })
}
